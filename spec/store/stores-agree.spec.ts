import fc from "fast-check";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { type Driver, findDriver } from "../../runtime/store/sqlite/driver.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { commitOf, dump, effect, letter, tell, timer, transition } from "./builders.ts";

const test = suite("stores agree");

const ACTORS = ["a", "b", "c"];
const actor = fc.constantFrom(...ACTORS);
const owner = fc.constantFrom("o", "p");
const event = fc.integer({ min: 0, max: 60 }).map((n) => `t${n}`);
const span = fc.integer({ min: -20, max: 60 });

const step = fc.record({
  actor,
  /** 0 is the revision that stands. */
  off: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1),
  event,
  fence: fc.constantFrom(undefined, undefined, undefined, 0, 0, 0, 0, 0, 0, 1),
  restart: fc.constantFrom(0, 0, 0, 1),
  status: fc.constantFrom("active", "active", "active", "done", "crashed"),
  hash: fc.constantFrom("h1", "h1", "h1", "h2"),
  outbox: fc.array(fc.record({ due: span, open: fc.constantFrom(true, true, false) }), {
    maxLength: 2,
  }),
  tells: fc.array(fc.record({ to: actor, event }), { maxLength: 2 }),
  timers: fc.array(fc.record({ id: fc.constantFrom("x", "y"), due: span }), { maxLength: 2 }),
  cleared: fc.subarray(["x", "y"]),
  settled: fc.array(fc.nat(5), { maxLength: 2 }),
  cancelled: fc.array(fc.nat(5), { maxLength: 1 }),
});
const dead = fc.array(fc.record({ actor, event, age: fc.nat(30) }), { maxLength: 1 });

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      steps: fc.array(step, { minLength: 1, maxLength: 3 }),
      dead,
      lease: fc.option(fc.record({ owner, span: fc.integer({ min: 5, max: 60 }) })),
      record: fc.option(
        fc.record({
          value: fc.constantFrom("1", null),
          expected: fc.constantFrom(undefined, undefined, undefined, undefined, 0, 1, 2),
        }),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("dead" as const), dead, outbox: fc.nat(5), actor }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      owner,
      limit: fc.integer({ min: 0, max: 3 }),
      hashes: fc.constantFrom(["h1"], ["h1", "h2"]),
      running: fc.option(fc.subarray(ACTORS)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      actor,
      rows: fc.array(fc.nat(5), { maxLength: 2 }),
      fence: fc.constantFrom(0, 0, 0, -1),
      how: fc.constantFrom("done" as const, "retry" as const, "dead" as const),
      due: span,
    }),
  },
  fc.record({ kind: fc.constant("renew" as const), owner, span }),
  fc.record({ kind: fc.constant("release" as const), owner, actors: fc.subarray(ACTORS) }),
  fc.record({ kind: fc.constant("prune" as const), age: fc.nat(40) }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

test("memory and sqlite give the same answers and keep the same rows", async () => {
  const moves = fc.array(fc.tuple(fc.nat(15), action), { size: "max", maxLength: 40 });
  const open = (await findDriver())!;
  await check(
    fc.asyncProperty(moves, async (sequence) => {
      const memory = openMemoryStore();
      let driver: Driver | undefined;
      const sqlite = await openSqliteStore({
        path: ":memory:",
        driver: (path) => driver = open(path),
      });
      try {
        let now = 100;
        for (const [passed, each] of sequence) {
          now += passed;
          const call = await callOf(memory, each, now);
          const [one, other] = [await answer(call, memory), await answer(call, sqlite)];
          assert.equal(other, one);
          assert.equal(await dump(sqlite, ACTORS), await dump(memory, ACTORS));
          for (const who of ["o", "p", "q"]) {
            const due = await memory.nextDue(who, ["h1"], now);
            assert.is(await sqlite.nextDue(who, ["h1"], now), due);
          }
          await invariants(memory);
          assert.equal(driver!.prepare(MISCOUNTED).all(), []);
        }
        for (const store of [memory, sqlite]) await claimsWhatIsDue(store, now);
      } finally {
        await sqlite.close();
      }
    }),
    { numRuns: 150 },
  );
}, { timeoutMs: 60_000 });

/** The count that finds the effects of dead processes must never drift from the rows. */
const MISCOUNTED = `SELECT a.id FROM actor a WHERE a.running <> (SELECT count(*) FROM outbox o
  WHERE o.actor = a.id AND o.state = 'open' AND o.claimed IS NOT NULL)`;

type Call = (store: Store) => Promise<unknown>;

/** What happened, as a value: two stores must refuse alike, too. */
async function answer(call: Call, store: Store): Promise<unknown> {
  try {
    return await call(store);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}

/** Numbers of an action stand for rows of the actor: made concrete by what the store holds. */
async function callOf(store: Store, action: Action, now: number): Promise<Call> {
  const outboxIds = async (actor: string) => (await store.outbox(actor, 100)).map((row) => row.id);
  const pick = (ids: readonly string[], rows: readonly number[]) =>
    rows.flatMap((row) => ids.slice(-1 - row).slice(0, 1));
  switch (action.kind) {
    case "commit": {
      const revisions = new Map<string, number>();
      const transitions = [];
      for (const each of action.steps) {
        const row = await store.read(each.actor);
        const expected = Math.max(
          0,
          (revisions.get(each.actor) ?? row?.revision ?? 0) + each.off,
        );
        revisions.set(each.actor, expected + 1);
        const ids = await outboxIds(each.actor);
        const epoch = row?.epoch ?? 0;
        transitions.push(transition(each.actor, expected + 1, {
          actor: {
            status: each.status,
            hash: each.hash,
            epoch: epoch + each.restart,
            updatedAt: now,
          },
          journal: { eventId: each.event, at: now },
          ...(each.fence === undefined ? {} : { fence: epoch - each.fence }),
          outbox: each.outbox.map(({ due, open }, index) => ({
            ...effect(each.actor, expected + 1, index, { due: now + due }),
            state: open ? "open" as const : "done" as const,
          })),
          tells: each.tells.map(({ to, event }) => tell(to, event)),
          timersSet: each.timers.map(({ id, due }) => timer(each.actor, id, now + due)),
          timersCleared: each.cleared,
          settled: pick(ids, each.settled),
          cancelled: pick(ids, each.cancelled),
        }));
      }
      const commit = commitOf(transitions, {
        now,
        deadLetters: action.dead.map((row) => letter(row.actor, row.event, { at: now - row.age })),
        lease: action.lease && { owner: action.lease.owner, until: now + action.lease.span },
        records: action.record === null ? [] : [{
          collection: "c",
          key: "k",
          value: action.record.value,
          ...(action.record.expected === undefined ? {} : { expected: action.record.expected }),
        }],
      });
      return (each) => each.commit(commit);
    }
    case "dead": {
      const [effectId] = pick(await outboxIds(action.actor), [action.outbox]);
      const deadLetters = action.dead.map((row) => letter(row.actor, row.event));
      if (effectId !== undefined) deadLetters.push(letter(action.actor, effectId));
      return (each) => each.commit(commitOf([], { deadLetters, now }));
    }
    case "claim": {
      const { owner, limit, hashes, running } = action;
      const request = { owner, hashes, now, until: now + 30, limit };
      return (each) => each.claim(running === null ? request : { ...request, running });
    }
    case "settle": {
      const ids = await outboxIds(action.actor);
      const epoch = ((await store.read(action.actor))?.epoch ?? 0) + action.fence;
      const settlements = pick(ids, action.rows).map((id) => ({
        actor: action.actor,
        id,
        epoch,
        outcome: action.how === "retry"
          ? { kind: action.how, due: now + action.due }
          : action.how === "dead"
          ? { kind: action.how, letter: letter(action.actor, id) }
          : { kind: action.how },
      }));
      return (each) => each.settle(settlements, now);
    }
    case "renew":
      return (each) => each.renew(action.owner, ACTORS, now + action.span);
    case "release":
      return (each) => each.release(action.owner, action.actors);
    case "prune":
      return (each) => each.prune(now - action.age);
  }
}

/** What holds after every call, whatever it was. */
async function invariants(store: Store): Promise<void> {
  for (const id of ACTORS) {
    const row = await store.read(id);
    const journal = await store.journal(id, 0, 1000);
    const inbox = await store.inbox(id, 1000);
    const dead = new Set((await store.deadLetters(id, 1000)).map((each) => each.eventId));
    const applied = new Set(journal.map((each) => each.eventId));
    assert.is(applied.size, journal.length);
    if (row !== undefined) {
      const revisions = journal.map((each) => each.revision);
      const kept = Array.from({ length: row.revision - row.base + 1 }, (_, at) => row.base + at);
      assert.equal(revisions, kept);
    }
    for (const each of [...inbox.map((row) => row.eventId), ...dead]) assert.not(applied.has(each));
    for (const each of inbox) assert.not(dead.has(each.eventId));
    for (const each of await store.outbox(id, 1000)) {
      if (each.state === "open" && each.claimed !== null) assert.is(each.claimed, row!.epoch);
    }
  }
}

/** What nextDue announces, a claim at that time hands out, and none before. */
async function claimsWhatIsDue(store: Store, now: number): Promise<void> {
  const due = await store.nextDue("q", ["h1"], now);
  const claim = (at: number) =>
    store.claim({ owner: "q", hashes: ["h1"], now: at, until: at + 1, limit: 9 });
  if (due === undefined || due > now) {
    const early = due === undefined ? now + 1e6 : due - 1;
    assert.equal(await claim(early), []);
  }
  if (due !== undefined) assert.ok((await claim(due)).length > 0);
}
