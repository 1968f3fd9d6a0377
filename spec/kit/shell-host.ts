import { spawn } from "node:child_process";
import process from "node:process";
import type { Host, HostExec, HostExit } from "../../runtime/sidecars/host.ts";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { feed } from "../../runtime/ssh/feed.ts";

/** A host on this machine, by `sh`, with a connection that can be cut. */
export interface ShellHost extends Host {
  /**
   * Loses the connection: every channel ends at once, what runs goes on. Its output pipes are closed,
   * and so is its standard input.
   */
  cut(): void;
  /** Resolves when what was run has ended, also what ran on after the connection was lost. */
  quiet(): Promise<void>;
}

/** How a {@link ShellHost} is made. */
export interface ShellHostOptions {
  /** @default "shell" */
  readonly name?: string;
  /**
   * Variables over this process's.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
}

/** Real processes and pipes without a network: for specs of what works over any host. */
export function shellHost({ name = "shell", env = {} }: ShellHostOptions = {}): ShellHost {
  const lost = () =>
    hostFailed(`The connection to ${name} was lost`, {
      host: name,
      fault: "closed",
      kind: "reconnect",
    });
  const cuts = new Set<() => void>();
  const running = new Set<Promise<void>>();
  let ended = false;
  let close: (why: Error | undefined) => void = () => {};
  const closed = new Promise<Error | undefined>((resolve) => close = resolve);
  const end = (why: Error | undefined) => {
    ended = true;
    close(why);
    for (const cut of cuts) cut();
  };
  return {
    name,
    closed,
    exec: (request) => ended ? Promise.reject(lost()) : exec(request, env, { cuts, running, lost }),
    cut: () => end(lost()),
    quiet: async () => void await Promise.all(running),
    close: () => Promise.resolve(end(undefined)),
  };
}

async function exec(
  { command, stdin, onStdout, onStderr, signal }: HostExec,
  env: Readonly<Record<string, string>>,
  { cuts, running, lost }: {
    readonly cuts: Set<() => void>;
    readonly running: Set<Promise<void>>;
    readonly lost: () => Error;
  },
): Promise<HostExit> {
  signal.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", command], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  }).finally(() => running.delete(gone));
  running.add(gone);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => fail = reject);
  const guarded = (take: ((chunk: Uint8Array) => void) | undefined) => (chunk: Uint8Array) => {
    try {
      take?.(chunk);
    } catch (error) {
      fail(error);
    }
  };
  child.stdout.on("data", guarded(onStdout));
  child.stderr.on("data", guarded(onStderr));
  child.stdin.on("error", () => {});
  let leave: (error: unknown) => void = () => {};
  const left = new Promise<never>((_, reject) => leave = reject);
  const cut = (error: unknown) => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
    leave(error);
  };
  const whenCut = () => cut(lost());
  const whenAborted = () => cut(signal.reason);
  cuts.add(whenCut);
  signal.addEventListener("abort", whenAborted, { once: true });
  const exited = new Promise<HostExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, name) => {
      resolve(code === null ? { kind: "signal", name: name ?? "SIGKILL" } : { kind: "exit", code });
    });
  });
  const over = new Promise((resolve) => child.stdin.once("close", resolve));
  feed(child.stdin, stdin, over).catch(fail);
  try {
    return await Promise.race([exited, left, failed]);
  } catch (error) {
    cut(error);
    throw error;
  } finally {
    cuts.delete(whenCut);
    signal.removeEventListener("abort", whenAborted);
  }
}
