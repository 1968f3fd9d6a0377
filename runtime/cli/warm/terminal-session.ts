import process from "node:process";
import { SidecanaryError } from "../../errors.ts";
import type { CommandEnd } from "../../warm/run-remote.ts";
import type { WarmLink } from "../../warm/warm-ports.ts";
import type { CliIo } from "../io.ts";

/**
 * Connects the user's terminal to one on a sidecar until that ends. Each key goes there at once,
 * Ctrl-C included; whatever happens, the user's terminal is as it was afterwards.
 *
 * @param command for the shell there; `undefined` is the login shell
 * @throws SidecanaryError `usage` where this kind of sidecar has no terminals; `host-failed`
 * @throws the signal's reason when aborted
 */
export async function terminalSession(
  { host }: WarmLink,
  command: string | undefined,
  io: CliIo,
  signal: AbortSignal,
): Promise<CommandEnd> {
  if (host.terminal === undefined) {
    throw new SidecanaryError(
      "usage",
      `${host.name} has no terminals: run a command with sidecanary sidecar exec -- CMD, or pipe a ` +
        "script into sidecanary sidecar ssh",
      {},
    );
  }
  const { stdin, stdout, env } = io;
  const restore = (): void => void stdin.setRawMode?.(false);
  const terminal = await host.terminal({
    ...(command === undefined ? {} : { command }),
    term: env["TERM"] || "xterm-256color",
    columns: stdout.columns ?? 80,
    rows: stdout.rows ?? 24,
    onData: (chunk) => void stdout.write(chunk),
  });
  const type = (chunk: Uint8Array): void => terminal.write(chunk);
  const resize = (): void => terminal.resize(stdout.columns ?? 80, stdout.rows ?? 24);
  let leave: () => void = () => {};
  const left = new Promise<never>((_, reject) => leave = () => reject(signal.reason));
  signal.addEventListener("abort", leave, { once: true });
  process.once("exit", restore);
  stdin.setRawMode?.(true);
  stdin.on("data", type);
  stdout.on("resize", resize);
  try {
    signal.throwIfAborted();
    return await Promise.race([terminal.ended, left]);
  } finally {
    restore();
    process.off("exit", restore);
    stdin.off("data", type);
    stdin.pause();
    stdout.off("resize", resize);
    signal.removeEventListener("abort", leave);
    terminal.close();
  }
}
