import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Failure } from "../../../machines/failure.ts";
import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import { workFailure } from "../host-failed.ts";
import type { RunOptions, RunOutput, RunResult, Sandbox } from "../provider.ts";
import type { LaneAnswer } from "./lane-call.ts";
import { OutputSink } from "./output-sink.ts";
import type { RemotePlace } from "./remote-place.ts";

/** What a {@link RemoteSandbox} is made of. */
export interface RemoteSandboxParts {
  readonly place: RemotePlace;
  /** The place among the lanes of the host. */
  readonly lane: number;
  /** Names the sandbox on the host. */
  readonly id: string;
  /** The working directory below the tree: `""` or `/packages/core`. */
  readonly cwd: string;
  /** Over what the host gives to commands. */
  readonly env: Readonly<Record<string, string>>;
  /** How long a command is kept whose client has gone, in ms. */
  readonly graceMs: number;
  readonly clock: Clock;
  /** Called once, when nothing of the sandbox runs any more, as far as is known. */
  readonly dispose: () => void;
}

/** 24 days; a timer that is set for longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** The longest argument that Linux takes. */
const LONGEST_ARGUMENT = 131_071;
/** How long what was killed may take to say so. */
const DEATH_MS = 10_000;

/** A sandbox whose commands run on a host and outlive a lost connection. */
export class RemoteSandbox implements Sandbox {
  readonly id: string;
  readonly #parts: RemoteSandboxParts;
  readonly #known = new Map<string, RunResult>();
  readonly #pending = new Map<string, Promise<RunResult>>();
  #unnamed = 0;
  #dead: Failure | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: RemoteSandboxParts) {
    this.id = parts.id;
    this.#parts = parts;
  }

  async run(command: string, options: RunOptions): Promise<RunResult> {
    const key = options.key === undefined
      ? `u${this.#unnamed++}`
      : `k${createHash("sha256").update(options.key).digest("hex").slice(0, 24)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const pending = this.#pending.get(key);
    if (pending !== undefined) return await pending;
    const running = this.#run(key, command, options);
    this.#pending.set(key, running);
    try {
      const result = await running;
      if (result.kind !== "lost") this.#known.set(key, result);
      return result;
    } finally {
      this.#pending.delete(key);
    }
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    const { place, lane, id, dispose } = this.#parts;
    this.#dead ??= sandboxLost("The sandbox is closed.");
    const words = ["close", String(lane), id];
    let answer: LaneAnswer | undefined;
    try {
      answer = await place.call({ words, signal: AbortSignal.timeout(60_000) });
    } catch {
      // The next open() of the lane ends what runs before anything else, and so does whoever takes
      // the lane over; without either, the host itself ends it within the grace.
    }
    dispose();
    if (answer?.kind !== "failed") return;
    throw new SidecanaryError(
      "sidecar-failed",
      `A sandbox on ${place.name} could not be closed: ${answer.message}`,
      { sidecar: place.name },
    );
  }

  async #run(key: string, command: string, options: RunOptions): Promise<RunResult> {
    const { place, lane, id, cwd, graceMs, clock } = this.#parts;
    const { timeoutMs, tailBytes = 65_536, maxLogBytes = 67_108_864, logs, signal } = options;
    const startedAt = clock.now();
    let stdout: OutputSink | undefined;
    let stderr: OutputSink | undefined;
    let durationMs: number | undefined;
    const output = (): RunOutput => ({
      durationMs: durationMs ?? clock.now() - startedAt,
      stdoutTail: stdout?.tail() ?? "",
      stderrTail: stderr?.tail() ?? "",
    });
    const lost = (failure: Failure): RunResult => ({ kind: "lost", ...output(), failure });
    const held = holdOpen();
    const leaving = new AbortController();
    let timer: unknown;
    let stopped: "timeout" | "cancelled" | undefined;
    const stop = (why: "timeout" | "cancelled") => {
      if (stopped !== undefined) return;
      stopped = why;
      this.#dead = sandboxLost(`The sandbox was ended: ${why}.`);
      clock.clearTimeout(timer);
      timer = clock.setTimeout(() => leaving.abort(new Error("nothing died in time")), DEATH_MS);
      const words = ["kill", String(lane), id, key, why];
      place.call({ words, signal: leaving.signal }).catch(() => leaving.abort());
    };
    const cancel = () => stop("cancelled");
    try {
      if (signal.aborted) return lost(CANCELLED);
      if (this.#dead !== undefined) return lost(this.#dead);
      if (Buffer.byteLength(command) >= LONGEST_ARGUMENT || command.includes("\0")) {
        return lost(notStarted("it is longer than the system takes, or holds a NUL"));
      }
      stdout = new OutputSink(logs?.stdout, tailBytes);
      stderr = new OutputSink(logs?.stderr, tailBytes);
      timer = clock.setTimeout(() => stop("timeout"), Math.min(timeoutMs, LONGEST_TIMER_MS));
      signal.addEventListener("abort", cancel, { once: true });
      const env = Object.entries({ ...this.#parts.env, ...options.env });
      const answer = await place.call({
        words: [
          "run",
          String(lane),
          id,
          key,
          String(Math.ceil((timeoutMs + graceMs) / 1000)),
          String(Math.ceil(graceMs / 1000)),
          String(maxLogBytes),
          String(tailBytes),
          cwd,
          command,
          ...env.map(([name, value]) => `${name}=${value}`),
        ],
        stdin: held.stdin,
        onStdout: (chunk) => stdout?.push(chunk),
        onStderr: (chunk) => stderr?.push(chunk),
        signal: leaving.signal,
      });
      const failure = stdout.failure ?? stderr.failure;
      if (failure !== undefined) throw failure;
      const result = this.#resultOf(answer, stopped);
      durationMs = hostDuration(answer) ?? clock.now() - startedAt;
      // What was attached to late may have had more time than it was given.
      if (result.kind === "exit" && durationMs > timeoutMs + 1000) {
        return { kind: "timeout", ...output() };
      }
      return { ...output(), ...result };
    } catch (error) {
      if (stopped === "cancelled") return lost(CANCELLED);
      if (stopped === "timeout") return { kind: "timeout", ...output() };
      const failure = workFailure(error);
      if (failure.class === "permanent") return lost({ ...failure, class: "sidecar-lost" });
      if (failure.class === "sidecar-lost") this.#dead = failure;
      return lost(failure);
    } finally {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      held.end();
      stdout?.close();
      stderr?.close();
    }
  }

  #resultOf(answer: LaneAnswer, stopped: "timeout" | "cancelled" | undefined): Ending {
    if (stopped === "cancelled") return { kind: "lost", failure: CANCELLED };
    if (stopped === "timeout") return { kind: "timeout" };
    if (answer.kind === "silent") {
      return this.#end(`What ran the command was ended: ${answer.message}`);
    }
    if (answer.kind === "failed") {
      if (answer.code === "full") return { kind: "lost", failure: diskFull(answer.message) };
      return this.#end(answer.message);
    }
    const [kind = "", value = "", oom] = answer.words;
    switch (kind) {
      case "exit":
        return { kind, code: Number(value), oom: oom === "1" };
      case "signal":
        return { kind, name: `SIG${value}`, oom: oom === "1" };
      case "timeout":
        this.#dead = sandboxLost("The sandbox was ended: timeout.");
        return { kind };
      case "unstarted":
        return { kind: "lost", failure: notStarted("its working directory or its shell is gone") };
      case "full":
        return { kind: "lost", failure: diskFull("No space is left on the host.") };
      case "vanished":
        return this.#end("The command was ended because nobody had asked for it for too long.");
      default:
        return this.#end("The sandbox's processes were killed from outside.");
    }
  }

  #end(message: string): Ending {
    this.#dead = sandboxLost(message);
    return { kind: "lost", failure: this.#dead };
  }
}

type Ending =
  | { readonly kind: "exit"; readonly code: number; readonly oom: boolean }
  | { readonly kind: "signal"; readonly name: string; readonly oom: boolean }
  | { readonly kind: "timeout" }
  | { readonly kind: "lost"; readonly failure: Failure };

/** What the host measured, in ms; `undefined` where it has no such clock. */
function hostDuration(answer: LaneAnswer): number | undefined {
  if (answer.kind !== "ok") return undefined;
  const [from = 0, to = 0] = answer.words.slice(3).map(Number);
  return from === 0 ? undefined : Math.round((to - from) * 1000);
}

/** A standard input that says nothing and ends when its owner goes away. */
function holdOpen(): { readonly stdin: AsyncIterable<Uint8Array>; readonly end: () => void } {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => end = resolve);
  const stdin = async function* (): AsyncGenerator<Uint8Array> {
    await ended;
    yield* [];
  };
  return { stdin: stdin(), end };
}

const CANCELLED: Failure = {
  code: "cancelled",
  message: "The command was cancelled.",
  class: "permanent",
};

function sandboxLost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}

function diskFull(message: string): Failure {
  return { code: "disk-full", message, class: "sidecar-lost" };
}

function notStarted(why: string): Failure {
  return {
    code: "command-not-started",
    message: `The command could not be started: ${why}`,
    class: "permanent",
  };
}
