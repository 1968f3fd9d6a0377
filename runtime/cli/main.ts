import process from "node:process";
import { refuseRuntime } from "./check-runtime.ts";

// What an old runtime cannot even parse is loaded after it was looked at.
const refusal = refuseRuntime(process.versions);
if (refusal === undefined) {
  const { runProcess } = await import("./run-process.ts");
  await runProcess();
} else {
  process.stderr.write(`${refusal}\n`);
  process.exitCode = 1;
}
