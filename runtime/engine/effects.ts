import type { AnyActorLogic, EventObject } from "xstate";
import type { Json } from "../json.ts";
import { plainJson } from "../plain-json.ts";
import type { ActorRow, OutboxRow } from "../store/store.ts";
import type { ActorState, EventData } from "./actor-state.ts";
import type { Announcements } from "./announcements.ts";
import { errorData } from "./error-data.ts";
import { asError, type Host } from "./host.ts";
import type { Job } from "./job.ts";
import type { Registry } from "./registry.ts";
import { runPort, withEffect } from "./run-port.ts";
import { Settler } from "./settler.ts";
import type { StepEvent } from "./step-event.ts";
import type { Effect } from "./step-result.ts";

/** What effects need of the engine. */
export interface EffectsHooks {
  /** Brings a port's answer to its actor; resolves when it is committed or pointless. */
  readonly result: (job: Job) => Promise<void>;
  /** Whether the newest row that is known still has this invoke. */
  readonly isLive: (row: ActorRow, invoke: string, effect: string) => boolean;
  /** Work is due at this time. */
  readonly dueAt: (due: number) => void;
}

interface Running {
  readonly actor: string;
  readonly epoch: number;
  stop: () => void;
}

/** Runs effects whose actor's lease this process holds. */
export class Effects {
  readonly settler: Settler;
  readonly #host: Host;
  readonly #registry: Registry;
  readonly #announcements: Announcements;
  readonly #hooks: EffectsHooks;
  /** Invokes by outbox id. */
  readonly #running = new Map<string, Running>();
  /** Outbox ids of running invokes by actor. */
  readonly #byActor = new Map<string, Set<string>>();
  #waiting: { readonly actor: ActorRow; readonly row: OutboxRow }[] = [];
  /** The end of each actor's chain of actions and announcements. */
  readonly #chains = new Map<string, Promise<void>>();

  constructor(
    host: Host,
    registry: Registry,
    announcements: Announcements,
    hooks: EffectsHooks,
  ) {
    this.#host = host;
    this.#registry = registry;
    this.#announcements = announcements;
    this.#hooks = hooks;
    this.settler = new Settler(host);
  }

  /** Runs open rows that were handed to this process with the actor's present epoch. */
  dispatch(actor: ActorRow, rows: readonly OutboxRow[]): void {
    for (const row of rows) {
      if (row.kind === "invoke") this.#waiting.push({ actor, row });
      else this.#chain(actor, row);
    }
    this.#startWaiting();
  }

  /** Stops what this state of the actor has no use for: invokes that were left, or belong to an epoch that is over. */
  reconcile(row: ActorRow, state: ActorState): void {
    const ids = this.#byActor.get(row.id);
    if (ids === undefined) return;
    const live = new Set(Object.values(state.invokes).map((invoke) => invoke.effect));
    for (const id of [...ids]) {
      const isOld = (this.#running.get(id)?.epoch ?? 0) < row.epoch;
      if (isOld || !live.has(id)) this.#stopOne(id);
    }
    this.#startWaiting();
  }

  /** Stops what runs for an actor that another process took over, or for all. Nothing is recorded. */
  drop(actor?: string): void {
    const ids = actor === undefined ? [...this.#running.keys()] : this.#byActor.get(actor) ?? [];
    this.#waiting = actor === undefined
      ? []
      : this.#waiting.filter((each) => each.row.actor !== actor);
    for (const id of [...ids]) this.#stopOne(id);
  }

  /** The actors with running invokes. */
  get invokingActors(): readonly string[] {
    return [...this.#byActor.keys()];
  }

  /** The actors with something running. */
  get busyActors(): readonly string[] {
    const waiting = this.#waiting.map((each) => each.row.actor);
    return [...new Set([...this.#byActor.keys(), ...this.#chains.keys(), ...waiting])];
  }

  /** Whether no action runs and nothing is to be settled. Invokes do not count. */
  get isIdle(): boolean {
    return this.#chains.size === 0 && this.settler.isIdle;
  }

  async drained(): Promise<void> {
    await Promise.all(this.#chains.values());
    await this.settler.drained();
  }

  #startWaiting(): void {
    if (!this.#host.isOpen()) return;
    const room = this.#host.settings.maxInvokes - this.#running.size;
    if (room <= 0 || this.#waiting.length === 0) return;
    const next = this.#waiting.slice(0, room);
    this.#waiting = this.#waiting.slice(room);
    for (const { actor, row } of next) {
      const effect = JSON.parse(row.payload) as Extract<Effect, { kind: "invoke" }>;
      if (this.#running.has(row.id) || !this.#hooks.isLive(actor, effect.invoke, row.id)) continue;
      this.#note(row.id, { actor: row.actor, epoch: actor.epoch, stop: () => {} });
      void this.#invoke(actor, row, effect);
    }
  }

  async #invoke(
    actor: ActorRow,
    row: OutboxRow,
    effect: Extract<Effect, { kind: "invoke" }>,
  ): Promise<void> {
    const running = this.#running.get(row.id);
    let told = Promise.resolve();
    const report = (eventId: string, result: ResultOf) => {
      if (this.#running.get(row.id) !== running) return;
      // One after the other: what is tried again is not overtaken by what the port says later.
      told = told.then(() => this.#report(actor, row.id, eventId, effect.invoke, result));
    };
    const fail = (error: unknown) =>
      report(`${row.id}:error`, { kind: "error", error: errorJson(error, row.id) });
    try {
      await this.#host.fault("effect.before");
      if (this.#running.get(row.id) !== running || running === undefined) return;
      const port = this.#registry.resolve(actor).logic.machine.implementations.actors[effect.src];
      if (port === undefined) throw new Error(`Cannot run the port "${effect.src}": not provided`);
      let sent = 0;
      const info = { key: row.id, actor: row.actor, epoch: actor.epoch };
      running.stop = runPort(port as AnyActorLogic, effect.input, info, this.#host.clock, {
        done: (output) => {
          try {
            report(`${row.id}:done`, { kind: "done", ...outputJson(output, row.id) });
          } catch (error) {
            fail(error);
          }
        },
        error: fail,
        sent: (event) => {
          try {
            const plain = eventJson(event, row.id);
            report(`${row.id}:sent:${sent++}:${actor.epoch}`, { kind: "sent", event: plain });
          } catch (error) {
            fail(error);
          }
        },
      });
      // It may have been stopped by what it said while it started.
      if (this.#running.get(row.id) !== running) running.stop();
    } catch (error) {
      if (!this.#host.isOver()) fail(error);
    }
  }

  /** Never rejects. */
  async #report(
    actor: ActorRow,
    effect: string,
    eventId: string,
    invoke: string,
    result: ResultOf,
  ): Promise<void> {
    try {
      if (result.kind !== "sent") await this.#host.fault("effect.after");
      await this.#hooks.result({
        actor: actor.id,
        eventId,
        cause: effect,
        fence: actor.epoch,
        what: { kind: "result", invoke, effect, result },
      });
    } catch (error) {
      if (!this.#host.isOpen()) return;
      // It stays open in the outbox: it runs again with the same key under the next epoch.
      this.#host.problem({
        kind: "store",
        message: `Cannot bring the answer of effect "${effect}" to its actor`,
        actor: actor.id,
        error: asError(error),
      });
    } finally {
      if (result.kind !== "sent") this.#forget(effect);
    }
  }

  #chain(actor: ActorRow, row: OutboxRow): void {
    const before = this.#chains.get(actor.id);
    const end = (before ?? Promise.resolve()).then(() => this.#perform(actor, row)).finally(() => {
      if (this.#chains.get(actor.id) === end) this.#chains.delete(actor.id);
    });
    this.#chains.set(actor.id, end);
  }

  /** Never rejects. */
  async #perform(actor: ActorRow, row: OutboxRow): Promise<void> {
    if (this.#host.isOver()) return;
    const { clock, random, settings } = this.#host;
    const settled = (outcome: Parameters<Settler["add"]>[0]["outcome"]) =>
      this.settler.add({ actor: row.actor, id: row.id, epoch: actor.epoch, outcome });
    try {
      await this.#host.fault("effect.before");
      await this.#call(actor, row);
      await this.#host.fault("effect.after");
      await settled({ kind: "done" });
    } catch (error) {
      if (this.#host.isOver()) return;
      const attempts = row.attempts + 1;
      if (attempts < settings.maxEffectAttempts) {
        const due = clock.now() + settings.effectBackoff(attempts, random);
        await settled({ kind: "retry", due });
        this.#hooks.dueAt(due);
        return;
      }
      await settled({
        kind: "dead",
        letter: {
          actor: row.actor,
          eventId: row.id,
          event: row.payload,
          reason: "effect-failed",
          error: JSON.stringify(errorData(error)),
          at: clock.now(),
        },
      });
      this.#host.problem({
        kind: "effect-dead",
        message: `Gave up effect "${row.id}" after ${attempts} attempts: ${asError(error).message}`,
        actor: row.actor,
        error: asError(error),
      });
    }
  }

  async #call(actor: ActorRow, row: OutboxRow): Promise<void> {
    const effect = JSON.parse(row.payload) as Exclude<Effect, { kind: "invoke" }>;
    if (effect.kind === "announce") {
      const { id, revision, attempts } = row;
      const { machine } = actor;
      await this.#announcements.announce({
        id,
        actor: row.actor,
        machine,
        revision,
        event: effect.event,
        attempts,
      });
      return;
    }
    const { machine } = this.#registry.resolve(actor).logic;
    const action: unknown = machine.implementations.actions[effect.type];
    if (typeof action !== "function") {
      throw new Error(
        `Cannot run the action "${effect.type}": machine "${actor.machine}" has none`,
      );
    }
    const { context, event } = effect;
    const info = { key: row.id, actor: row.actor, epoch: actor.epoch };
    await action({ context, event, self: withEffect({ id: row.actor }, info) }, effect.params);
  }

  #note(id: string, running: Running): void {
    this.#running.set(id, running);
    const ids = this.#byActor.get(running.actor) ?? new Set();
    this.#byActor.set(running.actor, ids.add(id));
  }

  #stopOne(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) {
      this.#waiting = this.#waiting.filter((each) => each.row.id !== id);
      return;
    }
    this.#forget(id);
    try {
      running.stop();
    } catch (error) {
      this.#host.problem({
        kind: "listener",
        message: `The port of effect "${id}" threw while it was stopped`,
        actor: running.actor,
        error: asError(error),
      });
    }
  }

  #forget(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    const ids = this.#byActor.get(running.actor);
    ids?.delete(id);
    if (ids?.size === 0) this.#byActor.delete(running.actor);
    this.#startWaiting();
  }
}

type ResultOf = Extract<StepEvent, { kind: "result" }>["result"];

function outputJson(output: unknown, effect: string): { readonly output?: Json } {
  if (output === undefined) return {};
  return { output: JSON.parse(plainJson(output, `output of effect "${effect}"`)) as Json };
}

function eventJson(event: EventObject, effect: string): EventData {
  return JSON.parse(plainJson(event, `event sent back by effect "${effect}"`)) as EventData;
}

/** Errors as `{name, message, stack}`, plain data as it is; anything else says that it is neither. */
function errorJson(error: unknown, effect: string): Json {
  if (error === undefined) return null;
  if (error instanceof Error) return errorData(error) as unknown as Json;
  try {
    return JSON.parse(plainJson(error, `error of effect "${effect}"`)) as Json;
  } catch (refusal) {
    return errorData(refusal) as unknown as Json;
  }
}
