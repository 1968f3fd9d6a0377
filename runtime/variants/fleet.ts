import type { Failure } from "../../machines/failure.ts";
import { retryDefaults } from "../../machines/backoff.ts";
import type { SidecarInput, SidecarOutput } from "../../machines/sidecar/events.ts";
import type { Json } from "../json.ts";
import type { Change } from "../sidecars/provider.ts";
import type { Held, Worker } from "./lease-desk.ts";
import { type CommandsOptions, type CommandsOutcome, runCommands } from "./run-commands.ts";
import { report, type Session } from "./session.ts";

/** Boots the campaign's sidecars, each as an actor of its own. */
export class Fleet {
  readonly #session: Session;
  #started: Promise<void> | undefined;
  #leases = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Resolves when every sidecar is up or given up, and one at least is up. */
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
      held.sandbox = await sidecar.open(change, signal);
      const outcome = await runCommands(held.sandbox, commands);
      if (freeze && outcome.status === "survived") {
        const { sandbox } = held;
        held.sandbox = undefined;
        await sidecar.freeze(sandbox);
      }
      options.onDone?.(outcome, held);
      return outcome;
    } finally {
      desk.release(by);
    }
  }

  async #start(): Promise<void> {
    const { desk } = this.#session;
    const started = await Promise.all(desk.workers.map((worker) => this.#boot(worker)));
    if (desk.usable.length > 0) return;
    throw started.find((failure) => failure !== null) ?? lost("No sidecar came up.");
  }

  async #boot(worker: Worker): Promise<Failure | null> {
    const { engine, signal, desk } = this.#session;
    // Making a sandbox here is quick, and so is finding out that it cannot be made.
    const retry = { ...retryDefaults, baseMs: 20, capMs: 1_000 };
    const input: SidecarInput = {
      sidecar: worker.id,
      spec: { worker: worker.index },
      retry,
      destroyRetry: retry,
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
    report(this.#session, {
      type: "warning",
      message: `Sidecar ${worker.index} did not come up: ${failure?.message ?? "no reason given"}`,
    });
    return failure === null ? null : { ...failure, class: "permanent" };
  }
}

function isUp(value: Json): boolean {
  return typeof value === "object" && value !== null && "up" in value;
}

function lost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}
