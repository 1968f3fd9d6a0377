import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Host } from "../host.ts";
import { quoteWord } from "./workspace-script.ts";

/** One call of the script that `lane-script.ts` holds. */
export interface LaneCall {
  /** The workspace's folder on the host. */
  readonly dir: string;
  /** The verb and its arguments. */
  readonly words: readonly string[];
  /** @default nothing */
  readonly stdin?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Gets what follows the answer's line. @default it is dropped */
  readonly onStdout?: (chunk: Uint8Array) => void;
  /** Gets what follows the mark on standard error. @default it is dropped */
  readonly onStderr?: (chunk: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/**
 * What the script answered. `silent`: it was not there, was killed, or the machine is broken; nothing
 * is known of what it did.
 */
export type LaneAnswer =
  | { readonly kind: "ok"; readonly words: readonly string[] }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "silent"; readonly message: string };

/** Leaves room below the 100,000 bytes of a command. */
const LONGEST_COMMAND = 90_000;
const KEPT_TEXT = 2_000;

/**
 * Calls a verb and reads its answer.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function callLane(host: Host, call: LaneCall): Promise<LaneAnswer> {
  const mark = randomBytes(12).toString("hex");
  const { dir, signal } = call;
  const args = `set -- ${call.words.map(quoteWord).join(" ")}`;
  const head = `N=${mark} D=${quoteWord(dir)}; [ -e "$D/lane.sh" ] || ` +
    `{ echo "$N ! gone the workspace is not there any more"; exit 0; }`;
  let command = `${head}; ${args}; . "$D/lane.sh"`;
  if (Buffer.byteLength(command) > LONGEST_COMMAND) {
    const file = `lanes/args.${mark}`;
    const sent = await host.exec({
      command: `cat > ${quoteWord(`${dir}/${file}`)}`,
      stdin: Buffer.from(args),
      signal,
    });
    if (sent.kind !== "exit" || sent.code !== 0) {
      return { kind: "silent", message: `a file could not be written below ${dir}` };
    }
    command = `${head}; . "$D/${file}"; rm -f "$D/${file}"; . "$D/lane.sh"`;
  }
  const answer = new MarkedStream(mark, call.onStdout);
  const errors = new MarkedStream(mark, call.onStderr);
  const exit = await host.exec({
    command,
    ...(call.stdin === undefined ? {} : { stdin: call.stdin }),
    onStdout: (chunk) => answer.push(chunk),
    onStderr: (chunk) => errors.push(chunk),
    signal,
  });
  const [first = "", ...words] = answer.line?.split(" ").slice(1) ?? [];
  if (answer.line === undefined || exit.kind !== "exit" || exit.code !== 0) {
    const how = exit.kind === "exit" ? `exit code ${exit.code}` : exit.name;
    const said = errors.before.trim() || answer.before.trim() || "it said nothing";
    return { kind: "silent", message: `${call.words[0]} ended with ${how}: ${said}` };
  }
  if (first === "!") {
    const [code = "", ...message] = words;
    return { kind: "failed", code, message: message.join(" ") };
  }
  return { kind: "ok", words: [first, ...words] };
}

/** Splits a stream at the first line that begins with a mark; login shells say things before it. */
class MarkedStream {
  readonly #mark: string;
  readonly #rest: ((chunk: Uint8Array) => void) | undefined;
  #pending = Buffer.alloc(0);
  /** The line with the mark, once it is there. */
  line: string | undefined;

  constructor(mark: string, rest: ((chunk: Uint8Array) => void) | undefined) {
    this.#mark = mark;
    this.#rest = rest;
  }

  /** The end of what came before the line. */
  get before(): string {
    return this.line === undefined ? this.#pending.toString("utf8").slice(-KEPT_TEXT) : "";
  }

  push(chunk: Uint8Array): void {
    if (this.line !== undefined) return void this.#rest?.(chunk);
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const at = this.#pending.indexOf(this.#mark);
    const end = at === -1 ? -1 : this.#pending.indexOf("\n", at);
    if (end === -1) {
      const from = at === -1 ? Math.max(0, this.#pending.length - KEPT_TEXT) : at;
      this.#pending = this.#pending.subarray(from);
      return;
    }
    this.line = this.#pending.toString("utf8", at, end);
    const rest = this.#pending.subarray(end + 1);
    this.#pending = Buffer.alloc(0);
    if (rest.length > 0) this.#rest?.(rest);
  }
}
