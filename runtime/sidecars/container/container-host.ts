import { setMaxListeners } from "node:events";
import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import type { Host, HostExec, HostExit, HostTerminal, TerminalOptions } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import type { ContainerApi } from "./container-api.ts";
import { createExec, exitCode, readAll, runExec, startExec } from "./container-exec.ts";
import { connectionFault } from "./container-fault.ts";
import { inspectContainer, stateFault } from "./container-state.ts";

/** 128 + SIGKILL: a command's own end, or that of the container around it. */
const KILLED = 137;

const LOGIN_SHELL = 'if [ -n "$SHELL" ]; then exec "$SHELL" -l; fi; ' +
  "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l";

/**
 * A container that commands are sent to. Its connection is a call that waits for the end of the
 * container: it comes back when the container ends, and breaks when the service does.
 */
export class ContainerHost implements Host {
  readonly name: string;
  readonly closed: Promise<Error | undefined>;
  readonly #api: ContainerApi;
  readonly #id: string;
  readonly #clock: Clock;
  /** Aborted with why the connection is gone. */
  readonly #gone = new AbortController();
  #over = false;
  #close: (why: Error | undefined) => void = () => {};

  /** @param id of a container that runs */
  constructor(api: ContainerApi, id: string, name: string, clock: Clock) {
    this.#api = api;
    this.#id = id;
    this.name = name;
    this.#clock = clock;
    this.closed = new Promise((resolve) => this.#close = resolve);
    // Each command listens.
    setMaxListeners(0, this.#gone.signal);
    void this.#watch();
  }

  async exec(request: HostExec): Promise<HostExit> {
    return await this.#within(request.signal, async (signal) => {
      const exit = await runExec(this.#api, this.#id, { ...request, signal }, this.#clock);
      // The end of a container kills its commands before the service knows of it: what it says
      // about the container is late, while a command in it fails at once.
      if (exit.kind === "exit" && exit.code === KILLED) await this.#probe(signal);
      return exit;
    });
  }

  readonly terminal = async (options: TerminalOptions): Promise<HostTerminal> => {
    const end = new AbortController();
    const argv = ["sh", "-c", options.command ?? LOGIN_SHELL];
    const env = [`TERM=${options.term}`];
    const { exec, stream } = await this.#within(end.signal, async (signal) => {
      const exec = await createExec(
        this.#api,
        this.#id,
        { argv, env, stdin: true, tty: true },
        signal,
      );
      return { exec, stream: await startExec(this.#api, exec, true, signal) };
    });
    const resize = async (columns: number, rows: number): Promise<void> => {
      await this.#api.call({
        method: "POST",
        path: `/exec/${exec}/resize`,
        query: { h: String(rows), w: String(columns) },
        during: "resizing a terminal",
        signal: end.signal,
      });
    };
    const ended = this.#within(end.signal, async (signal): Promise<HostExit> => {
      try {
        await readAll(this.#api, stream, options.onData, signal);
      } finally {
        stream.destroy();
      }
      const code = await exitCode(this.#api, exec, this.#clock, signal);
      if (code === KILLED) await this.#probe(signal);
      return { kind: "exit", code };
    });
    ended.catch(() => {});
    try {
      await resize(options.columns, options.rows);
    } catch (error) {
      end.abort(this.#closedByUs());
      throw error;
    }
    return {
      write: (bytes) => void stream.write(bytes),
      // A size that could not be set is set by the next change; a lost connection ends the terminal.
      resize: (columns, rows) => void resize(columns, rows).catch(() => {}),
      ended,
      close: () => end.abort(this.#closedByUs()),
    };
  };

  close(): Promise<void> {
    this.#end(undefined);
    return Promise.resolve();
  }

  /** Runs `work` with a signal that is also aborted when the connection is gone. */
  async #within<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    this.#gone.signal.throwIfAborted();
    const either = new AbortController();
    const whenAborted = () => either.abort(signal.reason);
    const whenGone = () => either.abort(this.#gone.signal.reason);
    signal.addEventListener("abort", whenAborted, { once: true });
    this.#gone.signal.addEventListener("abort", whenGone, { once: true });
    try {
      return await work(either.signal);
    } catch (error) {
      if (either.signal.aborted) throw either.signal.reason;
      throw await this.#diagnose(error);
    } finally {
      signal.removeEventListener("abort", whenAborted);
      this.#gone.signal.removeEventListener("abort", whenGone);
    }
  }

  /** What is wrong with the container where something is, else `error`. */
  async #diagnose(error: unknown): Promise<unknown> {
    if (!isSidecanaryError(error, "host-failed")) return error;
    try {
      const state = await inspectContainer(this.#api, this.#id, this.#gone.signal);
      return stateFault(this.name, state) ?? error;
    } catch (silent) {
      return this.#gone.signal.aborted ? this.#gone.signal.reason : silent;
    }
  }

  /** @throws SidecanaryError `host-failed` where the container no longer runs commands */
  async #probe(signal: AbortSignal): Promise<void> {
    const exit = await runExec(this.#api, this.#id, { command: ":", signal }, this.#clock);
    if (exit.kind === "exit" && exit.code === 0) return;
    throw connectionFault(this.#api.service, "running a command", new Error("it runs no commands"));
  }

  async #watch(): Promise<void> {
    const during = `waiting for the end of container ${this.name}`;
    const path = `/containers/${this.#id}/wait`;
    const query = { condition: "not-running" };
    const { signal } = this.#gone;
    try {
      await this.#api.call({ method: "POST", path, query, during, signal, timeoutMs: null });
      const state = await inspectContainer(this.#api, this.#id, signal);
      this.#end(
        stateFault(this.name, state) ??
          connectionFault(this.#api.service, during, new Error("the service ended the call")),
      );
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(why: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#close(why);
    this.#gone.abort(why ?? this.#closedByUs());
  }

  #closedByUs() {
    return hostFailed(`The connection to container ${this.name} was closed`, {
      host: this.name,
      fault: "closed",
      kind: "reconnect",
    });
  }
}
