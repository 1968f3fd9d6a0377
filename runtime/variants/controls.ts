import { type Failure, isFailure } from "../../machines/failure.ts";
import { checkBaseline } from "./baseline.ts";
import { type Breakage, BREAKAGES, brokenPayload } from "./broken-payload.ts";
import type { RunKey } from "./campaign-ids.ts";
import { sidecarName } from "./campaign-report.ts";
import type { Fleet } from "./fleet.ts";
import type { Worker } from "./lease-desk.ts";
import type { CommandsOutcome } from "./run-commands.ts";
import { collections, commandsOptions, report, type Session } from "./session.ts";

/** What the broken payload came to. */
export interface ControlRow {
  readonly noticed: boolean;
  readonly command: string | null;
}

/** When the baseline of a worker was last seen to be green; ms since the epoch. */
export interface GreenRow {
  readonly at: number;
}

/** Where the row of a worker's last green baseline stands. */
export function greenKey(sidecar: string): string {
  return `green ${sidecar}`;
}

/** What the controls ask of the pool. */
export interface ControlsHooks {
  readonly signal: AbortSignal;
  /** Takes a verdict back. */
  readonly distrust: (key: RunKey, why: string) => Promise<void>;
  /** Ends the campaign as void. */
  readonly halt: (message: string) => Promise<void>;
  readonly failed: (error: unknown) => void;
  /** One control less is pending. */
  readonly onSettled: () => void;
}

/** How many red baselines in a row a worker is forgiven. */
const MAX_REDS = 1;
/** How often the broken payload is tried on another sidecar. */
const MAX_TRIES = 3;

/** Finds out whether verdicts mean anything: breaks the payload on purpose, repeats baselines. */
export class Controls {
  readonly #session: Session;
  readonly #fleet: Fleet;
  readonly #hooks: ControlsHooks;
  readonly #checks = new Map<Worker, Promise<void>>();
  #isBreaking = false;

  constructor(session: Session, fleet: Fleet, hooks: ControlsHooks) {
    this.#session = session;
    this.#fleet = fleet;
    this.#hooks = hooks;
  }

  /** How many controls run or wait for a worker. */
  get pending(): number {
    return this.#checks.size + (this.#isBreaking ? 1 : 0);
  }

  /** Runs the commands on a deliberately broken payload: if they pass, the run is void. */
  begin(): void {
    this.#isBreaking = true;
    this.#breakPayload().catch((error: unknown) => this.#excuse(error)).finally(() => {
      this.#isBreaking = false;
      this.#hooks.onSettled();
    });
  }

  /** Runs the baseline again on a worker as soon as it is free; nothing else runs there before. */
  check(worker: Worker): void {
    if (this.#checks.has(worker)) return;
    worker.isDoubted = true;
    const check = this.#check(worker).catch((error: unknown) => this.#excuse(error)).finally(() => {
      this.#checks.delete(worker);
      this.#hooks.onSettled();
    });
    this.#checks.set(worker, check);
  }

  /** The closing controls. Answers whether there is anything to wait for. */
  async checkDoubted(): Promise<boolean> {
    const doubted = this.#session.desk.workers.filter(({ health }) => health.doubtful.length > 0);
    for (const worker of doubted) {
      if (!worker.isRetired) this.check(worker);
      else {
        const why = "its sidecar was lost before its baseline could be run again";
        for (const key of worker.health.red()) await this.#hooks.distrust(key, why);
      }
    }
    return doubted.length > 0;
  }

  async #breakPayload(): Promise<void> {
    const { records, campaign, metrics } = this.#session;
    const collection = collections.campaign(campaign);
    if (await records.read<ControlRow>(collection, "control") !== undefined) return;
    for (const breakage of BREAKAGES) {
      const { status, command, durationMs } = await this.#runBroken(breakage);
      metrics.commandMs += durationMs;
      if (status === "survived") continue;
      const row: ControlRow = { noticed: true, command };
      return await records.write(collection, "control", row);
    }
    await records.write(collection, "control", { noticed: false, command: null });
    await this.#hooks.halt(
      "The commands pass although every file that the variants touch is broken: " +
        "they do not look at these files",
    );
  }

  async #runBroken(breakage: Breakage): Promise<CommandsOutcome> {
    const { signal } = this.#hooks;
    const change = brokenPayload(this.#session.plan, breakage);
    const commands = commandsOptions(this.#session, { folder: `control-${breakage}`, signal });
    for (let attempt = 1;; attempt++) {
      const failure = await this.#fleet.run(change, { commands }).then((outcome) => {
        return outcome.status === "lost" ? outcome.failure ?? everySandboxLost : outcome;
      }, (error: unknown) => {
        if (!isFailure(error) || error.class === "permanent") throw error;
        return error;
      });
      if (!isFailure(failure)) return failure;
      signal.throwIfAborted();
      if (attempt === MAX_TRIES) throw failure;
    }
  }

  /** A red worker is made anew and has to be green before a variant runs on it, or it is retired. */
  async #check(worker: Worker): Promise<void> {
    const { desk, provider } = this.#session;
    for (;;) {
      const { isGreen, taken, why } = await this.#runBaseline(worker);
      if (isGreen) return;
      for (const key of taken) await this.#hooks.distrust(key, why);
      if (!worker.isRetired && worker.reds++ >= MAX_REDS) desk.retire(worker);
      if (worker.isRetired) {
        if (desk.usable.length === 0) await this.#hooks.halt(`On every sidecar, ${why}`);
        return;
      }
      report(this.#session, {
        type: "retry",
        what: sidecarName(provider.kind, worker.id),
        message: `It is made anew: ${why}`,
      });
      worker.isUp = false;
      worker.lose?.({ code: "environment-broken", message: why, class: "sidecar-lost" });
    }
  }

  async #runBaseline(worker: Worker): Promise<CheckResult> {
    const { signal } = this.#hooks;
    const { metrics, records, campaign, clock } = this.#session;
    const { health } = worker;
    try {
      const outcome = await checkBaseline(this.#session, this.#fleet, worker, {
        signal,
        onDone: ({ status, durationMs }) => {
          metrics.commandMs += durationMs;
          if (status !== "survived") return;
          health.green();
          worker.reds = 0;
          worker.isDoubted = false;
        },
      });
      if (outcome.status === "survived") {
        const row: GreenRow = { at: clock.now() };
        await records.write(collections.campaign(campaign), greenKey(worker.id), row);
        return { isGreen: true, taken: [], why: "" };
      }
      const detail = outcome.message ?? `${outcome.command} fails`;
      const why = outcome.status === "lost"
        ? `the sidecar was lost: ${outcome.failure?.message ?? "the sandbox is gone"}`
        : `the baseline fails there: ${detail}`;
      return { isGreen: false, taken: health.red(), why };
    } catch (error) {
      signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      // It was lost before it could confirm what it had said.
      return { isGreen: false, taken: health.red(), why: `the sidecar was lost: ${error.message}` };
    }
  }

  async #excuse(error: unknown): Promise<void> {
    if (this.#hooks.signal.aborted) return;
    if (!isFailure(error)) return this.#hooks.failed(error);
    await this.#hooks.halt(`The controls could not be run: ${error.message}`);
  }
}

interface CheckResult {
  readonly isGreen: boolean;
  /** The verdicts to take back. */
  readonly taken: readonly RunKey[];
  readonly why: string;
}

const everySandboxLost: Failure = {
  code: "sidecar-lost",
  message: "every sandbox was lost",
  class: "sidecar-lost",
};
