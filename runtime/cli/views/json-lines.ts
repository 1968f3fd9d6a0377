import type { Progress } from "../../variants/campaign-request.ts";
import type { CampaignReport, VariantResult } from "../../variants/report.ts";

/**
 * One JSON object a line, as it happens: `{"type":"result", …}` for a verdict, `{"type":"revoked",
 * id, reason}` where one was taken back (another result follows), and at last `{"type":"summary", …}`,
 * the report without its results. The last result of an id holds.
 */
export class JsonLines {
  readonly #write: (text: string) => void;
  readonly #written = new Map<string, string>();

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show(progress: Progress): void {
    if (progress.type === "verdict") this.#result(progress.result);
    if (progress.type === "revoked") {
      const { variant, reason } = progress;
      this.#written.delete(variant);
      this.#line({ type: "revoked", id: variant, reason });
    }
  }

  /** Writes what was not told on the way, such as verdicts of an earlier run, and the summary. */
  end(report: CampaignReport): void {
    const { results, ...summary } = report;
    for (const result of results) this.#result(result);
    this.#line({ type: "summary", ...summary });
  }

  #result(result: VariantResult): void {
    // Logs are moved to their last place at the end; nothing else of a result changes by that.
    const { logs: _logs, ...verdict } = result;
    const text = JSON.stringify(verdict);
    if (this.#written.get(result.id) === text) return;
    this.#written.set(result.id, text);
    this.#line({ type: "result", ...result });
  }

  #line(value: object): void {
    this.#write(`${JSON.stringify(value)}\n`);
  }
}
