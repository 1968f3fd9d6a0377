import { Buffer } from "node:buffer";
import { type Clock, systemClock } from "../../clock.ts";
import type { SidecanaryError } from "../../errors.ts";
import type { Payload } from "../../sync/payload.ts";
import { readEntries } from "../../sync/read-entries.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { deliveryFailed } from "./deliver-failed.ts";
import { PATIENCE } from "./receive-script.ts";
import { setupKey } from "./setup-key.ts";
import { SETUP } from "./setup-script.ts";
import type { Workspace } from "./workspace.ts";
import { askHost } from "./workspace-ask.ts";
import { assign } from "./workspace-script.ts";

/** What to run. */
export interface SetupOptions {
  /** For `sh`, in the base, with the environment that the host gives to commands. */
  readonly command: string;
  /**
   * Paths below the payload's root: where one of them changes, the setup runs again.
   * @default the lock files of common package managers, wherever they lie
   */
  readonly lockFiles?: readonly string[];
  /** What was delivered. */
  readonly payload: Pick<Payload, "tree" | "indexFile">;
  readonly timeoutMs: number;
  /**
   * Gets what the command writes to either output.
   * @default the output is dropped, but for its end in an error
   */
  readonly onOutput?: (chunk: Uint8Array) => void;
  readonly signal: AbortSignal;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** What a setup came to. */
export interface SetupResult {
  /** `done-before` where the same command ran with the same lock files. */
  readonly kind: "ran" | "done-before";
  /** Files of the payload that the command changed and that were restored; twenty at most. */
  readonly restored: readonly string[];
}

/** How long a host may take to end what was given up. */
const GRACE_MS = 10_000;

/**
 * Runs the setup command of a project in the base, once for each host, command and set of lock
 * files. Where the connection is lost, the command is killed, counts as not run, and runs again the
 * next time: it must bear that, as `npm ci` and its like do.
 *
 * @throws SidecanaryError `host-failed`: `config` with the exit code and the end of the output where
 *   the command failed, `limit-reached` where it did not end in time; of kind `reconnect` where the
 *   connection was lost
 * @throws the signal's reason when aborted
 */
export async function runSetup(
  host: Host,
  workspace: Workspace,
  options: SetupOptions,
): Promise<SetupResult> {
  const { command, lockFiles, payload, timeoutMs, onOutput, signal, clock = systemClock } = options;
  const key = setupKey(command, lockFiles, await readEntries(payload));
  const variables = { dir: workspace.dir, want: payload.tree, patience: PATIENCE, key, command };
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  const overdue = new AbortController();
  let isLate = false;
  let timer = clock.setTimeout(() => {
    isLate = true;
    release();
    timer = clock.setTimeout(() => overdue.abort(late(host, options)), GRACE_MS);
  }, timeoutMs);
  let tail = Buffer.alloc(0);
  try {
    const answer = await askHost(host, {
      command: assign(variables) + SETUP,
      stdin: nothingUntil(released),
      onStderr: (chunk) => {
        tail = Buffer.concat([tail, chunk]).subarray(-TAIL);
        onOutput?.(chunk);
      },
      signal: AbortSignal.any([signal, overdue.signal]),
    });
    if (isLate) throw late(host, options, tail);
    if (answer.failed !== undefined) throw deliveryFailed(host, answer, "set up");
    const lines = new Map(answer.lines);
    const code = lines.get("exit");
    if (code !== undefined) throw setupFailed(host, command, Number(code), tail);
    const restored = answer.lines.filter(([word]) => word === "changed").map(([, name]) => name);
    return { kind: lines.has("same") ? "done-before" : "ran", restored };
  } finally {
    clock.clearTimeout(timer);
    release();
  }
}

/** So much of the output is told when a setup fails. */
const TAIL = 4_000;

/** A standard input that stays open and empty. */
async function* nothingUntil(released: Promise<void>): AsyncGenerator<Uint8Array> {
  await released;
  yield* [];
}

function late(
  host: Host,
  { command, timeoutMs }: SetupOptions,
  tail: Buffer = Buffer.alloc(0),
): SidecanaryError {
  return hostFailed(
    `The setup command "${command}" did not end within ${timeoutMs / 1000} s on ${host.name}` +
      told(tail),
    { host: host.name, fault: "limit-reached", kind: "never", detail: timeoutMs },
  );
}

function setupFailed(host: Host, command: string, code: number, tail: Buffer): SidecanaryError {
  return hostFailed(
    `The setup command "${command}" ended with exit code ${code} on ${host.name}${told(tail)}`,
    { host: host.name, fault: "config", kind: "never", detail: code },
  );
}

function told(tail: Buffer): string {
  const text = tail.toString("utf8").trim();
  return text === "" ? ", without output" : `:\n${text}`;
}
