import type { ClientChannel } from "ssh2";
import type { HostExec, HostExit } from "../sidecars/host.ts";
import { feed } from "./feed.ts";

/** What a command on an open channel is given and asked for. */
export interface ChannelWork extends Pick<HostExec, "onStdout" | "onStderr"> {
  /** `"open"` leaves it to be written by hand. @default end of file at once */
  readonly stdin?: HostExec["stdin"] | "open";
}

/**
 * Follows a command on a channel that has just been opened; must be called in the callback that
 * opened it, as output comes at once. Both outputs are read to the end, always: the channel would
 * not close otherwise.
 *
 * @returns how it ended; `undefined` where the channel closed and no exit status had come
 * @throws what `stdin`, `onStdout` or `onStderr` throw; the channel is closed then
 */
export async function runOnChannel(
  channel: ClientChannel,
  { stdin, onStdout, onStderr }: ChannelWork,
): Promise<HostExit | undefined> {
  let exit: HostExit | undefined;
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => fail = reject);
  // An error thrown into ssh2 would end the whole connection.
  const guarded =
    (take: ((chunk: Uint8Array) => void) | undefined) => (chunk: Uint8Array): void => {
      try {
        take?.(chunk);
      } catch (error) {
        fail(error);
      }
    };
  channel.on("exit", (code: number | null, name?: string) => {
    exit = code === null ? { kind: "signal", name: name ?? "SIGKILL" } : { kind: "exit", code };
  });
  channel.on("error", () => {});
  channel.on("data", guarded(onStdout));
  channel.stderr.on("data", guarded(onStderr));
  const closed = Promise.all([
    new Promise((resolve) => channel.once("close", resolve)),
    new Promise((resolve) => channel.stderr.once("close", resolve)),
  ]);
  if (stdin !== "open") feed(channel, stdin, closed).catch(fail);
  try {
    await Promise.race([closed, failed]);
    return exit;
  } catch (error) {
    channel.close();
    throw error;
  }
}
