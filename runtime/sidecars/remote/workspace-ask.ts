import { Buffer } from "node:buffer";
import type { SidecanaryError } from "../../errors.ts";
import type { Host, HostExec } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { ANSWER } from "./workspace-script.ts";

/** What a script of ours answered: the first word of each line, and the rest of it. */
export interface HostAnswer {
  readonly lines: readonly (readonly [word: string, rest: string])[];
  /** Why it gave up, `undefined` where it did not. */
  readonly failed: string | undefined;
  /** Bytes that were free when it gave up. */
  readonly freeBytes: number | undefined;
  /** The end of what its programs wrote to standard error. */
  readonly stderr: string;
}

const TAIL = 2_000;

/**
 * Runs a script of ours to its end and reads its answer.
 *
 * @throws SidecanaryError `host-failed` where it did not come to an end of its own, or the host does
 *   not run commands yet
 */
export async function askHost(
  host: Host,
  request: Pick<HostExec, "command" | "stdin" | "signal"> & { onStderr?: HostExec["onStderr"] },
): Promise<HostAnswer> {
  const stdout: Uint8Array[] = [];
  let stderr = Buffer.alloc(0);
  const exit = await host.exec({
    ...request,
    onStdout: (chunk) => void stdout.push(chunk),
    onStderr: (chunk) => {
      stderr = Buffer.concat([stderr, chunk]).subarray(-TAIL);
      request.onStderr?.(chunk);
    },
  });
  const said = stderr.toString("utf8").trim();
  const lines = Buffer.concat(stdout).toString("utf8").split("\n")
    .filter((line) => line.startsWith(ANSWER))
    .map((line) => {
      const [word = "", ...rest] = line.slice(ANSWER.length).split(" ");
      return [word, rest.join(" ")] as const;
    });
  const get = (wanted: string) => lines.find(([word]) => word === wanted)?.[1];
  const failed = get("failed");
  if (exit.kind === "signal") throw ended(host, `by ${exit.name}`, exit.name);
  if (failed === undefined && exit.code !== 0) {
    if (exit.code === 254) throw starting(host, said);
    throw ended(host, `with exit code ${exit.code}: ${said || "it said nothing"}`, exit.code);
  }
  if (failed === undefined && get("done") === undefined) {
    throw ended(host, `without an answer: ${said || "it said nothing"}`, 0);
  }
  const space = get("space");
  const freeBytes = space ? Number(space) * 1024 : undefined;
  return { lines, failed, freeBytes, stderr: said };
}

/** `/etc/nologin` lets a user in and refuses every command with this exit code. */
function starting(host: Host, said: string): SidecanaryError {
  return hostFailed(
    `${host.name} does not run commands yet: ${said || "it said nothing"}`,
    { host: host.name, fault: "starting", kind: "while-booting", detail: 254 },
  );
}

function ended(host: Host, how: string, detail: string | number): SidecanaryError {
  return hostFailed(
    `A command of ours on ${host.name} ended ${how}`,
    { host: host.name, fault: "closed", kind: "reconnect", detail },
  );
}
