import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import { pause } from "../../pause.ts";
import { hostFailed } from "../host-failed.ts";
import type { HostExec, HostExit } from "../host.ts";
import type { ContainerApi } from "./container-api.ts";
import { connectionFault } from "./container-fault.ts";
import { Demux, FrameError } from "./demux.ts";

const RUNNING = "running a command";
const FIRST_LOOK_MS = 5;
const LONGEST_LOOK_MS = 500;
/** With 2.3 s between them: that a command has ended is known by then. */
const LOOKS_AT_BROKEN = 10;

/** How a command is made in a container. */
export interface ExecSpec {
  readonly argv: readonly string[];
  readonly stdin: boolean;
  /** @default false */
  readonly tty?: boolean;
  /** `NAME=value` each. @default [] */
  readonly env?: readonly string[];
}

/**
 * Prepares a command in a container and answers its id.
 *
 * @throws SidecanaryError `host-failed`; also where the container does not run: which it is, only a
 *   look at the container tells, as services answer 404, 409 or 500
 */
export async function createExec(
  api: ContainerApi,
  container: string,
  { argv, stdin, tty = false, env = [] }: ExecSpec,
  signal: AbortSignal,
): Promise<string> {
  const answer = await api.call({
    method: "POST",
    path: `/containers/${container}/exec`,
    body: {
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty,
      Cmd: argv,
      Env: env,
    },
    during: RUNNING,
    signal,
  });
  const id = answer.status === 201 ? field(answer.body, "Id") : undefined;
  if (typeof id !== "string") throw api.unexpected(RUNNING, answer);
  return id;
}

/** Starts a prepared command; the answer is its standard input and its output. */
export async function startExec(
  api: ContainerApi,
  exec: string,
  tty: boolean,
  signal: AbortSignal,
): Promise<Duplex> {
  return await api.hijack({
    method: "POST",
    path: `/exec/${exec}/start`,
    body: { Detach: false, Tty: tty },
    during: RUNNING,
    signal,
  });
}

/**
 * Runs a command with `sh -c` to its end.
 *
 * @throws SidecanaryError `host-failed`
 * @throws the signal's reason when aborted
 */
export async function runExec(
  api: ContainerApi,
  container: string,
  request: HostExec,
  clock: Clock,
): Promise<HostExit> {
  const { command, stdin, signal } = request;
  const argv = ["sh", "-c", command];
  const exec = await createExec(api, container, { argv, stdin: stdin !== undefined }, signal);
  const stream = await startExec(api, exec, false, signal);
  const demux = new Demux({
    onStdout: request.onStdout ?? (() => {}),
    onStderr: request.onStderr ?? (() => {}),
  });
  const fed = stdin === undefined ? Promise.resolve() : feed(stream, stdin);
  let broken: Error | undefined;
  try {
    // A source that fails ends the command; that it is no longer read does not.
    await Promise.race([
      readAll(api, stream, (chunk) => demux.push(chunk), signal),
      fed.then(() => new Promise<never>(() => {})),
    ]);
  } catch (error) {
    // A service that has no more use for the input closes the connection with that input unread. On
    // a local socket whatever it had sent before was read by then; a reset of TCP drops it.
    const closing = isSidecanaryError(error, "host-failed") &&
      ["EPIPE", "ECONNRESET"].includes(String(error.details.detail));
    if (!closing || stdin === undefined || !api.isLocal) throw error;
    broken = error;
  } finally {
    stream.destroy();
  }
  if (!demux.whole) {
    throw connectionFault(api.service, RUNNING, new Error("the output ended within a frame"));
  }
  return { kind: "exit", code: await exitCode(api, exec, clock, signal, broken) };
}

/**
 * Reads until the other side has ended the stream.
 *
 * @throws SidecanaryError `host-failed` where the connection breaks, `bad-frame` where `onChunk`
 *   throws a FrameError; what else it throws
 * @throws the signal's reason when aborted
 */
export async function readAll(
  api: ContainerApi,
  stream: Duplex,
  onChunk: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const whenAborted = () => stream.destroy();
  signal.addEventListener("abort", whenAborted, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      let ended = false;
      stream.on("data", (chunk: Uint8Array) => {
        try {
          onChunk(chunk);
        } catch (error) {
          reject(error instanceof FrameError ? badFrame(api.service, error) : error);
        }
      });
      stream.on("end", () => {
        ended = true;
        resolve();
      });
      stream.on("error", (error) => reject(connectionFault(api.service, RUNNING, error)));
      stream.on("close", () => {
        const cut = new Error("the connection was cut");
        if (!ended) reject(connectionFault(api.service, RUNNING, cut));
      });
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", whenAborted);
  }
  signal.throwIfAborted();
}

/**
 * The exit code, 128 + n after a signal. Looks until the command has ended: its output may end
 * before, as where a script sends it elsewhere (`exec >log 2>&1`).
 *
 * @param broken why the output ended, where that was not the command's doing: thrown where it still
 *   runs after 2.3 s
 * @throws SidecanaryError `host-failed`
 * @throws the signal's reason when aborted
 */
export async function exitCode(
  api: ContainerApi,
  exec: string,
  clock: Clock,
  signal: AbortSignal,
  broken?: Error,
): Promise<number> {
  let wait = FIRST_LOOK_MS;
  for (let look = 1;; look++) {
    const path = `/exec/${exec}/json`;
    const answer = await api.call({ method: "GET", path, during: RUNNING, signal });
    if (answer.status !== 200) throw api.unexpected(RUNNING, answer);
    const code = field(answer.body, "ExitCode");
    if (field(answer.body, "Running") === false && typeof code === "number") return code;
    if (broken !== undefined && look > LOOKS_AT_BROKEN) throw broken;
    await pause(clock, wait, signal);
    wait = Math.min(wait * 2, LONGEST_LOOK_MS);
  }
}

/** A member of a JSON object; `undefined` where there is none, or it is no object. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

async function feed(stream: Duplex, stdin: NonNullable<HostExec["stdin"]>): Promise<void> {
  if (stdin instanceof Uint8Array) return void stream.end(stdin);
  for await (const chunk of stdin) {
    // What the service has sent is read before the next write can fail and take it along.
    await setImmediate();
    if (!stream.writable) return;
    if (!stream.write(chunk)) await drained(stream);
  }
  stream.end();
}

async function drained(stream: Duplex): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
    if (stream.destroyed) done();
  });
}

function badFrame(service: string, error: FrameError) {
  return hostFailed(
    `The container service at ${service} sent what is no output of a command: ${error.message}`,
    { host: service, fault: "bad-frame", kind: "never" },
    error,
  );
}
