import type { Clock } from "../../clock.ts";
import type { Progress } from "../../variants/campaign-request.ts";
import type { ProgressState } from "../progress-state.ts";
import type { Palette } from "./palette.ts";
import { type Loudness, progressLine } from "./progress-line.ts";
import type { ProgressView } from "./progress-view.ts";
import { statusLine } from "./status-line.ts";

const EVERY_MS = 10_000;

/** What a view of the progress is made of. */
export interface ProgressViewOptions {
  readonly state: ProgressState;
  readonly write: (text: string) => void;
  readonly palette: Palette;
  readonly loudness: Loudness;
  readonly clock: Clock;
}

/** Lines for a log: what asks for something at once, the figures every ten seconds. */
export class PlainProgress implements ProgressView {
  readonly #options: ProgressViewOptions;
  readonly #said = new Set<string>();
  #timer: unknown;

  constructor(options: ProgressViewOptions) {
    this.#options = options;
    this.#arm();
  }

  show(progress: Progress): void {
    const { palette, loudness, write } = this.#options;
    if (progress.type === "retry" && loudness === "normal") {
      if (this.#said.has(progress.what)) return;
      this.#said.add(progress.what);
    }
    const line = progressLine(progress, palette, loudness);
    if (line !== undefined) write(`${line}\n`);
  }

  close(): void {
    this.#options.clock.clearTimeout(this.#timer);
  }

  #arm(): void {
    const { clock, state, write, palette } = this.#options;
    this.#timer = clock.setTimeout(() => {
      write(`${statusLine(state, clock.now(), palette)}\n`);
      this.#arm();
    }, EVERY_MS);
  }
}
