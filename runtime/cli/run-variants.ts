import process from "node:process";
import { type Clock, systemClock } from "../clock.ts";
import { isSidecanaryError } from "../errors.ts";
import { systemRandom } from "../random.ts";
import type { Progress, RunCampaign } from "../variants/campaign-request.ts";
import { variants, type VariantsAnswer } from "./commands/variants.ts";
import { EXIT, exitCodeOf, exitCodeOfSignal } from "./exit-code.ts";
import { Interrupts } from "./interrupts.ts";
import { type CliIo, isUnread, watchPipes, write } from "./io.ts";
import { errorText } from "./print-error.ts";
import type { VariantsFlags } from "./program/variants-command.ts";
import { ProgressState } from "./progress-state.ts";
import { chunkResults } from "./views/chunk.ts";
import { JsonLines } from "./views/json-lines.ts";
import { listData, listText } from "./views/list.ts";
import { LiveProgress } from "./views/live-progress.ts";
import { paletteFor } from "./views/palette.ts";
import { PlainProgress } from "./views/plain-progress.ts";
import { planText } from "./views/plan.ts";
import type { ProgressView } from "./views/progress-view.ts";
import { summary } from "./views/summary.ts";

type Format = NonNullable<VariantsFlags["format"]>;

/** What is not of the process. */
export interface RunVariantsPorts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly loadRunCampaign: () => Promise<RunCampaign>;
}

const OWN: RunVariantsPorts = {
  clock: systemClock,
  random: systemRandom,
  loadRunCampaign: async () => (await import("../variants/run-campaign.ts")).runCampaign,
};

/**
 * `sidecanary variants` with its views and signals.
 *
 * @returns the exit code
 */
export async function runVariants(
  source: string,
  flags: VariantsFlags,
  io: CliIo,
  ports: RunVariantsPorts = OWN,
): Promise<number> {
  const format = flags.format ?? (io.stdout.isTTY ? "human" : "json");
  const state = new ProgressState(ports.clock.now());
  const view = flags.quiet ? undefined : progressView(format, flags, io, state, ports.clock);
  const lines = format === "jsonl" && !flags.list && !flags.dryRun
    ? new JsonLines((text) => void write(io.stdout, text))
    : undefined;
  const interrupts = new Interrupts({
    onFirst: (name) => {
      const message = `${name}: cancelling, and reporting what is known; once more stops at once`;
      view?.show({ type: "warning", message });
    },
    // Sandboxes end with this process, whatever way it ends.
    onSecond: (name) => process.exit(exitCodeOfSignal(name)),
  });
  let unread = false, over = false;
  watchPipes(io, (error) => {
    unread = isUnread(error) && !over;
    interrupts.cancel("a standard output that cannot be written to");
  });
  try {
    const answer = await variants(source, flags, {
      ...ports,
      io,
      signal: interrupts.signal,
      onProgress: (progress: Progress) => {
        state.apply(progress, ports.clock.now());
        view?.show(progress);
        lines?.show(progress);
      },
    });
    view?.close();
    over = true;
    await print(answer, format, lines, flags, io, state);
    if (interrupts.received !== null) return exitCodeOfSignal(interrupts.received);
    if (unread) return exitCodeOfSignal("SIGPIPE");
    return exitCodeOfAnswer(answer, flags);
  } catch (error) {
    view?.close();
    // Cancelled before there was anything to report.
    if (interrupts.received === null) throw error;
    if (!isCancelled(error, interrupts.signal)) {
      await write(io.stderr, errorText(error, flags.verbose === true));
    }
    return exitCodeOfSignal(interrupts.received);
  } finally {
    view?.close();
    interrupts.dispose();
  }
}

/** A Ctrl-C reaches git, too. */
function isCancelled(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error as Error | null)?.name === "AbortError" ||
    isSidecanaryError(error, "git-failed");
}

function progressView(
  format: Format,
  { verbose, list, dryRun }: VariantsFlags,
  io: CliIo,
  state: ProgressState,
  clock: Clock,
): ProgressView | undefined {
  if (list || dryRun) return undefined;
  const { stderr, stdout, env } = io;
  const options = {
    state,
    clock,
    write: (text: string) => void stderr.write(text),
    palette: paletteFor(stderr, env),
    loudness: verbose ? "verbose" : "normal",
  } as const;
  const terminal = stderr.isTTY === true && env["TERM"] !== "dumb" && !env["CI"];
  // Lines of results on the same terminal would be drawn into the block.
  const mixed = format === "jsonl" && stdout.isTTY === true;
  return terminal && !mixed ? new LiveProgress(options) : new PlainProgress(options);
}

async function print(
  answer: VariantsAnswer,
  format: Format,
  lines: JsonLines | undefined,
  flags: VariantsFlags,
  io: CliIo,
  { retries }: ProgressState,
): Promise<void> {
  const out = (text: string): Promise<void> => write(io.stdout, text);
  const json = (value: unknown): Promise<void> => out(`${JSON.stringify(value, null, 2)}\n`);
  const each = (values: readonly unknown[]): Promise<void> =>
    out(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
  const palette = paletteFor(io.stdout, io.env);
  if (answer.kind === "list") {
    if (format === "human") return await out(listText(answer.variants, palette));
    const data = listData(answer.variants);
    return await (format === "jsonl" ? each(data) : json(data));
  }
  if (answer.kind === "plan") {
    if (format === "human") return await out(planText(answer.plan, palette));
    return await (format === "jsonl" ? each(answer.plan.variants) : json(answer.plan));
  }
  const { report, commands, output } = answer;
  const facts = { commands, retries, output };
  if (format === "human") return await out(summary(report, facts, palette));
  if (format === "json") await json(report);
  if (format === "chunk") await json(chunkResults(report.results));
  lines?.end(report);
  if (flags.quiet) return;
  await write(io.stderr, summary({ ...report, results: [] }, facts, paletteFor(io.stderr, io.env)));
}

function exitCodeOfAnswer(answer: VariantsAnswer, flags: VariantsFlags): number {
  switch (answer.kind) {
    case "list":
      return EXIT.ok;
    case "plan": {
      const wrong = answer.plan.variants.some(({ plan }) => plan === "error");
      return wrong && !flags.exitZero ? EXIT.incomplete : EXIT.ok;
    }
    case "report":
      return exitCodeOf(answer.report, {
        exitZero: flags.exitZero === true,
        baselineOnly: flags.baseline === "only",
      });
  }
}
