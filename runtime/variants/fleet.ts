import type { Failure } from "../../machines/failure.ts";
import { NO_SIDECAR } from "../../machines/campaign/decide.ts";
import { retryDefaults } from "../../machines/backoff.ts";
import type { SidecarInput, SidecarOutput } from "../../machines/sidecar/events.ts";
import { isSidecanaryError } from "../errors.ts";
import type { Json } from "../json.ts";
import { workFailure } from "../sidecars/host-failed.ts";
import type { Change, Sidecar } from "../sidecars/provider.ts";
import type { Held, Worker } from "./lease-desk.ts";
import { type CommandsOptions, type CommandsOutcome, runCommands } from "./run-commands.ts";
import { report, type Session } from "./session.ts";

/** Making a sandbox on this machine is quick, and so is finding out that it cannot be made. */
const quick = { ...retryDefaults, baseMs: 20, capMs: 1_000 };

/** How long the first host that is up waits for the others, in ms. */
const LATE_MS = 3_000;

/** How often commands of the campaign's own are begun or attached to on one sidecar. */
const MAX_ATTEMPTS = 4;

/** Boots the campaign's sidecars, each as an actor of its own. */
export class Fleet {
  readonly #session: Session;
  /** Why sidecars did not come up: the same cause is told once. */
  readonly #causes = new Set<string>();
  #started: Promise<void> | undefined;
  #leases = 0;
  #late: unknown;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Resolves when every sidecar is up or given up, and one at least is up. Hosts that take longer than
   * the first one are not waited for: they join when they are up.
   */
  start(): Promise<void> {
    return this.#started ??= this.#start();
  }

  /** Runs the commands on a state of the files that is no variant's, on a worker to itself. */
  async run(
    change: Change | undefined,
    options: {
      readonly commands: CommandsOptions;
      readonly only?: Worker | undefined;
      /** Make the files that are left where later sandboxes start. */
      readonly freeze?: boolean;
      readonly onDone?: (outcome: CommandsOutcome, held: Held) => void;
    },
  ): Promise<CommandsOutcome> {
    const { desk, campaign, engine } = this.#session;
    const { commands, only, freeze = false } = options;
    const { signal } = commands;
    const by = `${campaign}!${engine.owner}.${this.#leases++}`;
    const held = await desk.acquire({ by, only, control: true, signal });
    try {
      const { sidecar } = held.worker;
      if (sidecar === undefined) throw lost("The sidecar is gone.");
      const outcome = await this.#runOn(sidecar, held, { change, commands });
      if (freeze && outcome.status === "survived") {
        await this.#freeze(sidecar, held, signal);
      }
      options.onDone?.(outcome, held);
      return outcome;
    } finally {
      desk.release(by);
    }
  }

  /** Goes on where it was when the connection is back; a lost sidecar is the caller's business. */
  async #runOn(
    sidecar: Sidecar,
    held: Held,
    { change, commands }: {
      readonly change: Change | undefined;
      readonly commands: CommandsOptions;
    },
  ): Promise<CommandsOutcome> {
    const { desk } = this.#session;
    for (let attempt = 1;; attempt++) {
      let failure: Failure | undefined;
      try {
        held.sandbox ??= await sidecar.open(change, commands.signal);
        const outcome = await runCommands(held.sandbox, commands);
        failure = outcome.failure;
        const isOver = outcome.status !== "lost" || failure?.class !== "transient";
        if (isOver || attempt === MAX_ATTEMPTS) return outcome;
      } catch (error) {
        failure = failureOf(error);
        if (failure.class !== "transient" || attempt === MAX_ATTEMPTS) throw failure;
      }
      await desk.connected(held, sidecar, commands.signal);
    }
  }

  /** What was lost meanwhile is asked for again, and a sandbox that is not kept is closed by `run`. */
  async #freeze(sidecar: Sidecar, held: Held, signal: AbortSignal): Promise<void> {
    const { sandbox } = held;
    if (sandbox === undefined) return;
    for (let attempt = 1;; attempt++) {
      try {
        await sidecar.freeze(sandbox);
        held.sandbox = undefined;
        return;
      } catch (error) {
        const failure = failureOf(error);
        if (failure.class !== "transient" || attempt === MAX_ATTEMPTS) throw failure;
      }
      await this.#session.desk.connected(held, sidecar, signal);
    }
  }

  async #start(): Promise<void> {
    const { desk } = this.#session;
    const boots = desk.workers.map((worker) => this.#boot(worker));
    const all = Promise.all(boots);
    const started = await Promise.race([all, this.#someUp(boots)]);
    this.#session.clock.clearTimeout(this.#late);
    if (started === undefined) {
      return void all.catch((error: unknown) => {
        if (!this.#session.signal.aborted) this.#session.fail(error);
      });
    }
    if (desk.usable.length > 0) return;
    const [message = "No sidecar came up."] = started.flatMap((each) => each?.message ?? []);
    throw { code: NO_SIDECAR, message, class: "permanent" } satisfies Failure;
  }

  /** Resolves a little after the first host is up; never for sandboxes of this machine. */
  #someUp(boots: readonly Promise<Failure | null>[]): Promise<undefined> {
    const { clock, request } = this.#session;
    return new Promise((resolve) => {
      if (request.hosts === null) return;
      const wait = (failure: Failure | null) => {
        if (failure !== null) return;
        this.#late ??= clock.setTimeout(() => resolve(undefined), LATE_MS);
      };
      // What goes wrong is told to who waits for all.
      for (const boot of boots) boot.then(wait, () => {});
    });
  }

  async #boot(worker: Worker): Promise<Failure | null> {
    const { engine, signal, desk } = this.#session;
    const input: SidecarInput = {
      sidecar: worker.id,
      spec: { worker: worker.index },
      ...(this.#session.request.hosts === null ? { retry: quick, destroyRetry: quick } : {}),
    };
    const { outcome } = await engine.start(worker.id, "sidecar", {
      input: input as unknown as Json,
    });
    if (outcome === "duplicate") {
      // Whatever an earlier process had has ended with it.
      await engine.restart(worker.id, "initial", { eventId: `restart:${engine.owner}` });
    }
    const view = await engine.waitFor(
      worker.id,
      ({ status, value }) => status !== "active" || isUp(value),
      { signal },
    );
    void engine.waitFor(worker.id, ({ status }) => status !== "active", { signal }).then(
      () => {
        worker.isRetired = true;
        desk.pump();
      },
      // Nobody waits for sidecars of a process that ends.
      () => {},
    );
    if (view.status === "active") return null;
    worker.isRetired = true;
    const output = view.output as unknown as SidecarOutput | null;
    const failure = output?.cause ?? null;
    // It was drained, as everything is over.
    if (failure === null) return lost("It came up and went again.");
    if (!this.#causes.has(failure.message)) {
      this.#causes.add(failure.message);
      const message = `Sidecar ${worker.index} did not come up: ${failure.message}`;
      report(this.#session, { type: "warning", message });
    }
    return failure;
  }
}

/** What a sidecar threw; defects are thrown on. */
function failureOf(error: unknown): Failure {
  if (isSidecanaryError(error, "host-failed")) return workFailure(error);
  if (isSidecanaryError(error, "sidecar-failed")) return lost(error.message);
  throw error;
}

function isUp(value: Json): boolean {
  return typeof value === "object" && value !== null && "up" in value;
}

function lost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}
