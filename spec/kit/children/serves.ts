import process from "node:process";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { startSidecarHost } from "../../../runtime/serve/start-sidecar-host.ts";

// serves.ts <state directory> [shared]: tells in one line where it serves, or why not. Ends when its
// standard input does.
const [stateDir = "", shared] = process.argv.slice(2);
const tell = (what: unknown) => void process.stdout.write(`${JSON.stringify(what)}\n`);
try {
  const host = await startSidecarHost({
    listen: { host: "127.0.0.1", port: 0 },
    tokens: [{ owner: "alice", secret: "alice-secret-0123456789" }],
    stateDir,
    isolation: { sharedUserUnsafe: shared === "shared" },
  });
  tell({ url: host.url, hostKey: host.hostKey, isolation: host.isolation });
  process.stdin.resume();
  process.stdin.once("end", () => {
    void host.close().then(() => process.exit(0));
  });
} catch (error) {
  if (!isSidecanaryError(error)) throw error;
  tell({ code: error.code, message: error.message, details: error.details });
  process.exitCode = 1;
}
