import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { Client, ClientChannel } from "ssh2";
import type { Clock } from "../clock.ts";
import type { HostExec, HostExit, HostTerminal, TerminalOptions } from "../sidecars/host.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import { channelStream } from "./channel-stream.ts";
import { ChannelSlots } from "./channel-slots.ts";
import { type ChannelUse, classifyChannel } from "./classify-channel.ts";
import { openTerminal } from "./open-terminal.ts";
import { runOnChannel } from "./run-on-channel.ts";
import type { SshHost } from "./ssh-host.ts";
import { stillChannel } from "./still-channel.ts";
import { wrapCommand, type WrappedCommand } from "./wrap-command.ts";

/** What a connection is made of, once it is ready. */
export interface ConnectionParts {
  readonly name: string;
  readonly client: Client;
  readonly stream: Duplex;
  readonly clock: Clock;
  /** The `host-failed` error for what ssh2 emitted; for `undefined`, where it just closed. */
  readonly explain: (error: unknown) => Error;
}

/** What has ssh2 open a channel. */
type Start = (callback: (error: Error | undefined, channel: ClientChannel) => void) => unknown;

/** OpenSSH's `MaxSessions` is 10, and a slot is free only after its process was reaped. */
const SESSIONS = 4;
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 1_000;
const GOODBYE_MS = 1_000;

const never = new AbortController().signal;

/** An SSH connection that has been authenticated. */
export class SshConnection implements SshHost {
  readonly name: string;
  readonly closed: Promise<Error | undefined>;
  readonly #parts: ConnectionParts;
  readonly #slots = new ChannelSlots(SESSIONS);
  readonly #channels = new Set<ClientChannel>();
  /** Aborted when the connection is gone, with the error for whoever still wants something. */
  readonly #gone = new AbortController();
  #cause: Error | undefined;
  #closing = false;

  constructor(parts: ConnectionParts) {
    const { name, client, stream } = parts;
    this.#parts = parts;
    this.name = name;
    this.closed = new Promise((resolve) => {
      client.on("close", () => {
        this.#lose();
        resolve(this.#closing ? undefined : this.#cause);
      });
    });
    client.on("error", (error) => {
      this.#cause ??= parts.explain(error);
      stream.destroy();
    });
    client.on("end", () => {
      this.#still();
      // Not every stream closes by itself once its other side has ended.
      setImmediate(() => stream.destroy());
    });
  }

  async exec(request: HostExec): Promise<HostExit> {
    const { line, input } = wrapCommand(request.command);
    const work = input === undefined ? request : { ...request, stdin: after(input, request.stdin) };
    const start: Start = (callback) => this.#parts.client.exec(line, callback);
    const { signal } = request;
    const abort = AbortSignal.any([signal, this.#gone.signal]);
    abort.throwIfAborted();
    const leave = await this.#slots.enter(abort);
    const running = await this.#open(start, "session", abort, leave, (channel) => ({
      channel,
      exit: runOnChannel(channel, work),
    }));
    return await this.#settled(running.channel, running.exit, signal);
  }

  readonly terminal = async (options: TerminalOptions): Promise<HostTerminal> => {
    const { client } = this.#parts;
    const { term, columns: cols, rows, command } = options;
    const wrapped: Partial<WrappedCommand> = command === undefined ? {} : wrapCommand(command);
    const { line, input } = wrapped;
    if (input !== undefined) throw new RangeError("The command of a terminal is too long");
    const start: Start = (callback) =>
      line === undefined
        ? client.shell({ term, cols, rows }, callback)
        : client.exec(line, { pty: { term, cols, rows } }, callback);
    this.#gone.signal.throwIfAborted();
    return await this.#open(start, "session", this.#gone.signal, () => {}, (channel) => {
      const exit = runOnChannel(channel, {
        stdin: "open",
        onStdout: options.onData,
        onStderr: options.onData,
      });
      return openTerminal(channel, this.#settled(channel, exit, never));
    });
  };

  async forward(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const start: Start = (callback) =>
      this.#parts.client.forwardOut("127.0.0.1", 0, host, port, callback);
    const abort = AbortSignal.any([signal, this.#gone.signal]);
    abort.throwIfAborted();
    return await this.#open(start, "forward", abort, () => {}, channelStream);
  }

  async close(): Promise<void> {
    const { client, stream, clock } = this.#parts;
    if (!this.#gone.signal.aborted && !this.#closing) {
      this.#closing = true;
      client.end();
      // A frozen host never answers the goodbye.
      const timer = clock.setTimeout(() => stream.destroy(), GOODBYE_MS);
      void this.closed.then(() => clock.clearTimeout(timer));
    }
    await this.closed;
  }

  /** Waits for limits of the other side, and hands a channel on in the callback that opened it. */
  async #open<Result>(
    start: Start,
    use: ChannelUse,
    abort: AbortSignal,
    leave: () => void,
    attach: (channel: ClientChannel) => Result,
  ): Promise<Result> {
    for (let waitMs = FIRST_WAIT_MS;; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      const opened = await this.#tryOpen(start, abort, leave, attach);
      if ("result" in opened) return opened.result;
      const found = classifyChannel(use, opened.refused);
      if (found.kind !== "same-connection") {
        leave();
        abort.throwIfAborted();
        const message = `${this.name} refused ${
          use === "session" ? "to run a command" : "to forward a port"
        }: ${opened.refused.message}`;
        throw hostFailed(message, { host: this.name, ...found }, opened.refused);
      }
      await this.#wait(waitMs, abort).catch((error: unknown) => {
        leave();
        throw error;
      });
    }
  }

  #tryOpen<Result>(
    start: Start,
    abort: AbortSignal,
    leave: () => void,
    attach: (channel: ClientChannel) => Result,
  ): Promise<{ readonly result: Result } | { readonly refused: Error }> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(abort.reason);
      abort.addEventListener("abort", giveUp, { once: true });
      const callback = (error: Error | undefined, channel: ClientChannel): void => {
        abort.removeEventListener("abort", giveUp);
        if (error !== undefined) {
          if (abort.aborted) leave();
          return resolve({ refused: error });
        }
        this.#channels.add(channel);
        channel.once("close", () => {
          this.#channels.delete(channel);
          leave();
        });
        if (!abort.aborted) return resolve({ result: attach(channel) });
        // Nobody wants it any more.
        channel.on("error", () => {});
        channel.resume();
        channel.stderr.resume();
        channel.close();
      };
      try {
        start(callback);
      } catch (error) {
        // ssh2 knows that the connection has ended, and tells it a little later.
        abort.removeEventListener("abort", giveUp);
        leave();
        reject(this.#lost(error));
      }
    });
  }

  /** How a command ended, unless it is aborted or its connection is lost first. */
  #settled(
    channel: ClientChannel,
    exit: Promise<HostExit | undefined>,
    signal: AbortSignal,
  ): Promise<HostExit> {
    const gone = this.#gone.signal;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        channel.close();
        // OpenSSH confirms that only when the command has ended, and a command may go on for long.
        channel.stderr.emit("close");
        channel.emit("close");
        reject(signal.reason);
      };
      // The exit status may have come just before: what ssh2 still holds goes first.
      const lose = (): void => void setImmediate(() => setImmediate(() => reject(gone.reason)));
      signal.addEventListener("abort", abort, { once: true });
      gone.addEventListener("abort", lose, { once: true });
      if (signal.aborted) abort();
      if (gone.aborted) lose();
      const done = (): void => {
        signal.removeEventListener("abort", abort);
        gone.removeEventListener("abort", lose);
      };
      exit.then((found) => {
        done();
        if (found !== undefined) resolve(found);
        else reject(this.#lost(undefined));
      }, (error) => {
        done();
        reject(error);
      });
    });
  }

  async #wait(ms: number, abort: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimeout(() => {
        abort.removeEventListener("abort", leave);
        resolve();
      }, ms);
      const leave = (): void => {
        clock.clearTimeout(timer);
        reject(abort.reason);
      };
      abort.addEventListener("abort", leave, { once: true });
      if (abort.aborted) leave();
    });
  }

  #lose(): void {
    if (this.#gone.signal.aborted) return;
    this.#still();
    this.#cause ??= this.#parts.explain(undefined);
    this.#gone.abort(this.#closing ? this.#lost(undefined) : this.#cause);
  }

  #still(): void {
    for (const channel of this.#channels) stillChannel(channel);
  }

  #lost(cause: unknown): Error {
    if (!this.#closing && this.#cause !== undefined) return this.#cause;
    return hostFailed(`The connection to ${this.name} was closed`, {
      host: this.name,
      fault: "closed",
      kind: "reconnect",
    }, cause);
  }
}

async function* after(
  first: Uint8Array,
  rest: HostExec["stdin"],
): AsyncIterable<Uint8Array> {
  yield first;
  if (rest instanceof Uint8Array) yield rest;
  else if (rest !== undefined) yield* rest;
}
