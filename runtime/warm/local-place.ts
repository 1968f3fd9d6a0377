import { createHash, randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import { openLocalProvider } from "../sidecars/local/open-local-provider.ts";
import type { LocalKind } from "../sidecars/local/probe.ts";
import { removeTree } from "../sidecars/local/remove-tree.ts";
import type { StateFolder } from "../state-folder.ts";
import type { Payload } from "../sync/payload.ts";
import type { CommandEnd } from "./run-remote.ts";
import type { ValidatePlace } from "./validation.ts";

/** A sandbox of this machine, asked for by name. */
export interface LocalPlace extends ValidatePlace {
  close(): Promise<void>;
}

/** What {@link openLocalPlace} needs. */
export interface LocalPlaceOptions {
  readonly folder: StateFolder;
  readonly payload: Payload;
  readonly isolation: "auto" | LocalKind;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How often the output of a running command is looked at, in ms. */
const LOOK_MS = 50;

/**
 * Opens a sandbox on this machine that holds the captured tree.
 *
 * @throws SidecanaryError `sandbox-unavailable`, `sidecar-failed`, `git-failed`
 */
export async function openLocalPlace(options: LocalPlaceOptions): Promise<LocalPlace> {
  const { folder, payload, isolation, env, clock, signal } = options;
  const own = join(folder.dir, "warm", randomBytes(8).toString("hex"));
  const checkout = join(own, "checkout");
  const closing: (() => Promise<unknown>)[] = [() => removeTree(checkout).then(() => drop(own))];
  const close = async () => {
    for (const undo of closing.splice(0).reverse()) await undo();
  };
  try {
    const scratch = folder.work;
    const provider = await openLocalProvider({ payload, checkout, scratch, isolation, signal });
    closing.push(() => provider.close());
    const sidecar = await provider.create({ worker: 0, env }, signal);
    await sidecar.sync(signal);
    const sandbox = await sidecar.open(undefined, signal);
    closing.push(() => sandbox.close());
    return {
      tree: payload.tree,
      place: provider.describe(),
      close,
      run: async ({ name, run, timeoutMs }, { onStdout, onStderr }): Promise<CommandEnd> => {
        const id = createHash("sha256").update(name).digest("hex").slice(0, 16);
        const logs = { stdout: join(own, `${id}.out`), stderr: join(own, `${id}.err`) };
        const following = [
          await follow(logs.stdout, onStdout, clock),
          await follow(logs.stderr, onStderr, clock),
        ];
        const result = await sandbox.run(run, { timeoutMs, logs, signal });
        for (const end of following) await end();
        signal.throwIfAborted();
        if (result.kind !== "lost") return result;
        throw new SidecanaryError("sidecar-failed", `${name}: ${result.failure.message}`, {
          sidecar: "local",
        });
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Passes on what is written to a file, until the end is asked for. */
async function follow(
  path: string,
  take: (chunk: Uint8Array) => void,
  clock: Clock,
): Promise<() => Promise<void>> {
  const made = await open(path, "a", 0o600);
  await made.close();
  let at = 0;
  let timer: unknown;
  let isOver = false;
  const read = async (): Promise<void> => {
    const file = await open(path, "r");
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  };
  let reading = Promise.resolve();
  const look = (): void => {
    reading = read().then(() => {
      if (!isOver) timer = clock.setTimeout(look, LOOK_MS);
    });
    // It is told when the end is asked for; until then nobody listens.
    reading.catch(() => {});
  };
  look();
  return async () => {
    isOver = true;
    clock.clearTimeout(timer);
    await reading;
    await read();
  };
}

function drop(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true });
}
