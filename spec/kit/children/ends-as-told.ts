import process from "node:process";

// Does what its first argument says, for the specs of run-script.ts.
const [how = "", text = ""] = process.argv.slice(2);

if (how === "code") {
  console.log(`out ${text} ${process.env["SPEC_WORD"] ?? "-"}`);
  console.error("err");
  process.exitCode = 7;
} else if (how === "input") {
  let read = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) read += chunk;
  console.log(read.toUpperCase());
} else if (how === "trap") {
  process.on("SIGTERM", () => process.exit(7));
  setInterval(() => {}, 1_000);
  console.log("ready");
} else {
  setInterval(() => {}, 1_000);
  console.log("ready");
}
