import process from "node:process";
import { createLocalProvider } from "../../../runtime/sidecars/local/local-provider.ts";
import type { LocalKind } from "../../../runtime/sidecars/local/probe.ts";

// Opens a sandbox, leaves two sleepers in it and waits to be killed.
const [root = "", checkout = "", scratch = "", kind = "", namespaces = ""] = process.argv.slice(2);
// Not an argument: the parent looks for processes that have it as one.
const sleep = process.env["SLEEP"] ?? "";
const { signal } = new AbortController();
const provider = await createLocalProvider({
  root,
  checkout,
  scratch: [scratch],
  kind: kind as LocalKind,
  namespaces: namespaces === "true",
  signal,
});
const sidecar = await provider.create({ worker: 0 }, signal);
const bytes = new TextEncoder().encode("changed\n");
const change = { id: "v", files: [{ path: "src/a.txt", mode: "100644" as const, bytes }] };
const sandbox = await sidecar.open(change, signal);
const command = `setsid sleep ${sleep} & sleep ${sleep}`;
const running = sandbox.run(command, { timeoutMs: 60_000, signal });
console.log("running");
await running;
