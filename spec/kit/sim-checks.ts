import { isDeepStrictEqual } from "node:util";
import type { ActorState, EventData } from "../../runtime/engine/actor-state.ts";
import type { Logic } from "../../runtime/engine/logic.ts";
import { applyChanges, type Change } from "../../runtime/engine/state-change.ts";
import { step } from "../../runtime/engine/step.ts";
import type { StepEvent } from "../../runtime/engine/step-event.ts";
import type { Effect } from "../../runtime/engine/step-result.ts";
import type { Json } from "../../runtime/json.ts";
import type { ActorRow, JournalRow, OutboxRow, Store } from "../../runtime/store/store.ts";
import type { SimWorld } from "./sim-world.ts";

/** An effect that the journal says must have happened. */
export interface ExpectedEffect {
  readonly actor: string;
  readonly revision: number;
  readonly effect: Effect;
}

/** What the journals alone say, after every row was stepped again. */
export interface Refolded {
  readonly violations: readonly string[];
  /** By outbox id. */
  readonly effects: ReadonlyMap<string, ExpectedEffect>;
}

const all = Number.MAX_SAFE_INTEGER;

/**
 * Steps every journal row again and compares what is stored with what it must have led to: states,
 * outbox rows, tells, timers (P1). A final state absorbs (P2), since a row after it cannot be stepped.
 */
export async function refold(store: Store, logics: readonly Logic[]): Promise<Refolded> {
  const violations: string[] = [];
  const effects = new Map<string, ExpectedEffect>();
  for (const row of await store.actors({ limit: all })) {
    const logic = logics.find((each) => each.hash === row.hash);
    if (logic === undefined) continue;
    const fail = (what: string) => void violations.push(`P1: actor ${row.id}: ${what}`);
    await refoldActor(store, logic, row, fail, effects);
  }
  return { violations, effects };
}

async function refoldActor(
  store: Store,
  logic: Logic,
  row: ActorRow,
  fail: (what: string) => void,
  effects: Map<string, ExpectedEffect>,
): Promise<void> {
  const journal = await store.journal(row.id, 0, all);
  const outbox = await store.outbox(row.id, all);
  const revisions = journal.map((each) => each.revision);
  const contiguous = journal.map((_, index) => row.base + index);
  if (!isDeepStrictEqual(revisions, contiguous) || revisions.at(-1) !== row.revision) {
    fail(`the revisions ${revisions.join()} do not run from ${row.base} to ${row.revision}`);
  }
  const ids = new Set(journal.map((each) => each.eventId));
  if (ids.size !== journal.length) fail("an event id is journaled twice");
  for (const letter of await store.deadLetters(row.id, all)) {
    if (ids.has(letter.eventId)) fail(`${letter.eventId} was applied and is a dead letter`);
  }
  let before: Json | undefined;
  let status: ActorRow["status"] = "active";
  for (const entry of journal) {
    const after = applyChanges(before, JSON.parse(entry.change) as Change[]);
    const event = stepEventOf(entry, before as ActorState | undefined);
    if (event !== undefined) {
      const state = before === undefined ? null : JSON.stringify(before);
      const { revision, at } = entry;
      const result = step({ logic, actor: row.id, state, status, revision, event, now: at });
      if (result.outcome === "dead-letter") {
        fail(`revision ${revision} (${entry.eventId}) cannot be stepped again: ${result.reason}`);
        return;
      }
      const applied = result.outcome === "failed" ? result.applied : result;
      if (!isDeepStrictEqual(partsOf(applied.state), partsOf(after as unknown as ActorState))) {
        fail(`revision ${revision} (${entry.eventId}) led to another state than its step`);
      }
      compareOutbox(row.id, revision, applied.effects, outbox, fail, effects);
      for (const [index, { to }] of applied.tells.entries()) {
        const id = `${row.id}:${revision}:t${index}`;
        if (!await arrived(store, to, id)) fail(`what it told ${to} as ${id} was lost`);
      }
      if (event.kind === "timer") {
        const due = (before as unknown as ActorState).timers[event.id]?.due ?? Infinity;
        if (due > at) fail(`the timer ${event.id} fired ${due - at} ms early`);
      }
    }
    before = after;
    status = statusAfter(entry, after as unknown as ActorState);
  }
  if (!isDeepStrictEqual(before, JSON.parse(row.state))) {
    fail("the row is not what its journal says");
  }
  if (status !== row.status) fail(`the status is ${row.status}, and by the journal ${status}`);
  const stray = outbox.filter((each) => !effects.has(each.id) && stepped(journal, each));
  if (stray.length > 0) fail(`the outbox rows ${stray.map((each) => each.id).join()} are nobody's`);
}

function stepped(journal: readonly JournalRow[], { revision }: OutboxRow): boolean {
  const row = journal.find((each) => each.revision === revision);
  return row !== undefined && !hiddenTypes.has((JSON.parse(row.event) as EventData).type);
}

function compareOutbox(
  actor: string,
  revision: number,
  decided: readonly Effect[],
  outbox: readonly OutboxRow[],
  fail: (what: string) => void,
  effects: Map<string, ExpectedEffect>,
): void {
  const stored = outbox.filter((each) => each.revision === revision);
  for (const [index, effect] of decided.entries()) {
    const id = `${actor}:${revision}:${index}`;
    effects.set(id, { actor, revision, effect });
    const found = stored[index];
    if (found?.id !== id || found.kind !== effect.kind) {
      fail(`the outbox holds ${found?.id ?? "nothing"} in place of ${effect.kind} ${id}`);
    } else if (!isDeepStrictEqual(JSON.parse(found.payload), effect)) {
      fail(`the payload of ${id} is not what its step decided`);
    }
  }
}

async function arrived(store: Store, actor: string, eventId: string): Promise<boolean> {
  const rows = [
    ...await store.inbox(actor, all),
    ...await store.journal(actor, 0, all),
    ...await store.deadLetters(actor, all),
  ];
  return rows.some((row) => row.eventId === eventId || row.eventId === `${eventId}:crash`);
}

/** Rows that record what could not be stepped. */
const hiddenTypes = new Set(["sidecanary.crash", "sidecanary.suspend", "sidecanary.dropped"]);

function stepEventOf(row: JournalRow, before: ActorState | undefined): StepEvent | undefined {
  const event = JSON.parse(row.event) as EventData & { readonly [key: string]: Json };
  if (hiddenTypes.has(event.type)) return undefined;
  switch (event.type) {
    case "xstate.init":
      return { kind: "init", input: event["input"] ?? null };
    case "sidecanary.restart": {
      const { input } = (before ?? {}) as { readonly input?: Json };
      const mode = event["mode"] === "initial" ? "initial" : "resume";
      return { kind: "restart", mode, input: input ?? null };
    }
    case "sidecanary.stop":
      return { kind: "stop" };
  }
  const timer = /^timer:(.*):(\d+)$/.exec(row.eventId);
  if (row.cause === "timer" && timer !== null) {
    return { kind: "timer", id: timer[1] ?? "", revision: Number(timer[2]) };
  }
  const invoke = String(event["actorId"] ?? "");
  if (row.cause !== null && event.type.startsWith("xstate.done.actor.")) {
    const output = event["output"];
    const result = { kind: "done" as const, ...(output === undefined ? {} : { output }) };
    return { kind: "result", invoke, effect: row.cause, result };
  }
  if (row.cause !== null && event.type.startsWith("xstate.error.actor.")) {
    const result = { kind: "error" as const, error: event["error"] ?? null };
    return { kind: "result", invoke, effect: row.cause, result };
  }
  return { kind: "event", event };
}

function statusAfter(row: JournalRow, { snapshot }: ActorState): ActorRow["status"] {
  const { type } = JSON.parse(row.event) as EventData;
  if (type === "sidecanary.crash" || type === "sidecanary.suspend") return "crashed";
  return snapshot.status;
}

function partsOf({ snapshot, invokes, timers }: ActorState): unknown {
  // The stack of an error is not a part of what a machine decides.
  return JSON.parse(JSON.stringify({ snapshot, invokes, timers }));
}

/** Every event that a client was answered about is journaled or a dead letter, as it was told. */
export async function acceptedAreKept(world: SimWorld): Promise<string[]> {
  const violations: string[] = [];
  for (const { actor, eventId, answer } of world.acknowledged) {
    const row = (await world.store.journal(actor, 0, all)).find((each) => each.eventId === eventId);
    const letter = (await world.store.deadLetters(actor, all)).find((each) =>
      each.eventId === eventId
    );
    const applied = answer.outcome === "applied" ||
      (answer.outcome === "duplicate" && answer.earlier.kind === "applied");
    if (applied ? row === undefined : letter === undefined) {
      violations.push(
        `P1: ${eventId} for ${actor} was answered "${answer.outcome}", and is ` +
          `${row === undefined ? "not " : ""}journaled, ${
            letter === undefined ? "no" : "a"
          } dead letter`,
      );
    }
    if (answer.outcome === "applied" && row !== undefined && row.revision !== answer.revision) {
      violations.push(
        `P1: ${eventId} was answered revision ${answer.revision}, not ${row.revision}`,
      );
    }
  }
  return violations;
}

/** What happened once outside is journaled once or a dead letter, whatever ids it was sent under. */
export async function tagsAreUnique(store: Store): Promise<string[]> {
  const violations: string[] = [];
  const seen = new Set<string>();
  for (const row of [...await store.feed(0, all), ...await store.deadLetters(null, all)]) {
    const { type, tag } = JSON.parse(row.event) as { readonly type: string; readonly tag?: string };
    if (tag === undefined) continue;
    const key = `${row.actor} ${type} ${tag}`;
    const what = "reason" in row ? "a dead letter too" : "applied twice";
    if (seen.has(key)) violations.push(`P1: ${key} is ${what}`);
    seen.add(key);
  }
  return violations;
}

/** Nothing that is due is left, once everybody had the time. */
export async function nothingIsDue(store: Store, now: number): Promise<string[]> {
  const violations: string[] = [];
  for (const row of await store.actors({ limit: all })) {
    const state = JSON.parse(row.state) as ActorState;
    const timers = await store.timers(row.id, all);
    const rows = timers.map(({ id, revision, due }) => `${id} ${revision} ${due}`).sort();
    const armed = row.status === "active"
      ? Object.entries(state.timers).map(([id, each]) => `${id} ${each.revision} ${each.due}`)
      : [];
    if (!isDeepStrictEqual(rows, armed.sort())) {
      violations.push(
        `timers: ${row.id} has rows [${rows.join()}] and waits for [${armed.join()}]`,
      );
    }
    for (const { id, due } of timers) {
      if (due <= now) {
        violations.push(`timers: ${id} of ${row.id} was due at ${due} and never fired`);
      }
    }
    const waiting = await store.inbox(row.id, all);
    if (waiting.length > 0) {
      violations.push(`P1: ${waiting[0]?.eventId} still waits in the inbox of ${row.id}`);
    }
    const live = new Set(
      row.status === "active" ? Object.values(state.invokes).map((each) => each.effect) : [],
    );
    for (const { id, kind, state: outboxState } of await store.outbox(row.id, all)) {
      const isOpen = kind === "invoke" && live.has(id);
      if (isOpen !== (outboxState === "open")) {
        violations.push(`effects: ${kind} ${id} is ${outboxState}`);
      }
    }
  }
  return violations;
}

/** The receiver has done exactly what the journals say: each key once, no other key. */
export function receivedAll(world: SimWorld, { effects }: Refolded): string[] {
  const violations: string[] = [];
  for (const [key, { actor, effect }] of effects) {
    const received = world.receiver.done.get(key);
    if (received === undefined) {
      // An invoke may be left before it runs.
      if (effect.kind !== "invoke") {
        violations.push(`effects: ${effect.kind} ${key} never happened`);
      }
      continue;
    }
    const wanted = effect.kind === "invoke" ? effect.input : effect;
    if (received.actor !== actor || !isDeepStrictEqual(received.payload, wanted)) {
      violations.push(`effects: ${key} happened otherwise than its transition decided`);
    }
  }
  for (const [key, { actor }] of world.receiver.done) {
    if (!effects.has(key)) {
      violations.push(`effects: ${actor} did ${key}, which no transition decided`);
    }
  }
  return violations;
}
