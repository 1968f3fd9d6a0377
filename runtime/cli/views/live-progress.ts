import type { Progress } from "../../variants/campaign-request.ts";
import { duration } from "./figures.ts";
import type { ProgressViewOptions } from "./plain-progress.ts";
import { progressLine } from "./progress-line.ts";
import type { ProgressView } from "./progress-view.ts";
import { sanitiseLine } from "./sanitise.ts";
import { statusLine } from "./status-line.ts";

const REDRAW_MS = 200;
const MOST_ROWS = 8;

// A line longer than the terminal is cut by the terminal, so that a row stays a row.
const NO_WRAP = "\u001b[?7l", WRAP = "\u001b[?7h", CLEAR_BELOW = "\u001b[0J";

/** A block that is drawn again and again at the bottom of a terminal; lines scroll above it. */
export class LiveProgress implements ProgressView {
  readonly #options: ProgressViewOptions;
  readonly #said = new Set<string>();
  #rows = 0;
  #timer: unknown;

  constructor(options: ProgressViewOptions) {
    this.#options = options;
    this.#tick();
  }

  show(progress: Progress): void {
    const { palette, loudness, write } = this.#options;
    if (progress.type === "retry" && loudness === "normal") {
      if (this.#said.has(progress.what)) return;
      this.#said.add(progress.what);
    }
    const line = progressLine(progress, palette, loudness);
    if (line !== undefined) write(`${this.#erase()}${line}\n${this.#block()}`);
  }

  close(): void {
    if (this.#timer === undefined) return;
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#options.write(this.#erase());
  }

  #tick(): void {
    this.#options.write(`${this.#erase()}${this.#block()}`);
    this.#timer = this.#options.clock.setTimeout(() => this.#tick(), REDRAW_MS);
  }

  #erase(): string {
    const up = this.#rows === 0 ? "" : `\u001b[${this.#rows}A\r`;
    this.#rows = 0;
    return `${up}${CLEAR_BELOW}`;
  }

  #block(): string {
    const { state, palette, clock } = this.#options;
    const now = clock.now();
    const rows = state.active.slice(0, MOST_ROWS).map(({ variant, state, command, since }) => {
      const what = command === undefined ? "" : ` ${sanitiseLine(command)}`;
      const time = duration(now - since);
      return palette.dim(`  ${state.padEnd(8)} ${sanitiseLine(variant)}${what} ${time}`);
    });
    rows.push(statusLine(state, now, palette));
    this.#rows = rows.length;
    return `${NO_WRAP}${rows.join("\n")}\n${WRAP}`;
  }
}
