import * as assert from "uvu/assert";
import type { Commit, CommitResult, Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";
import { ledgerMachine } from "../kit/sim-ledger.ts";
import { StoreDecorator } from "../kit/sim-store-decorator.ts";
import { counterMachine, world } from "./engine-kit.ts";

const test = suite("deliver race");

/** Lets something happen right before a dead letter is written. */
class Interrupted extends StoreDecorator {
  readonly #meanwhile: () => Promise<unknown>;

  constructor(inner: Store, meanwhile: () => Promise<unknown>) {
    super(inner);
    this.#meanwhile = meanwhile;
  }

  override async commit(commit: Commit): Promise<CommitResult> {
    if (commit.transitions.length === 0) await this.#meanwhile();
    return await super.commit(commit);
  }
}

test("deliver() answers `duplicate` where another process applied the event that threw here", async () => {
  const one = await world({ owner: "one" });
  const { store, clock } = one;
  one.engine.register(counterMachine);
  const two = await world({
    owner: "two",
    clock,
    store: new Interrupted(store, async () => {
      const row = await store.read("c");
      if (row === undefined) throw new RangeError("there is no actor");
      await store.commit({
        transitions: [{
          actor: { ...row, revision: 2 },
          expected: 1,
          journal: {
            actor: "c",
            revision: 2,
            eventId: "poison",
            event: '{"type":"FAIL"}',
            cause: null,
            at: clock.now(),
            edges: "[]",
            change: "[]",
          },
          outbox: [],
          tells: [],
          timersSet: [],
          timersCleared: [],
          settled: [],
          cancelled: [],
        }],
        deadLetters: [],
        records: [],
        lease: null,
        now: clock.now(),
      });
    }),
  });
  two.engine.register(counterMachine);
  await one.engine.start("c", "counter");
  assert.equal(await two.engine.deliver("c", { type: "FAIL" }, { eventId: "poison" }), {
    outcome: "duplicate",
    earlier: { kind: "applied", revision: 2 },
  });
  assert.equal(await store.deadLetters("c", 10), []);
  await one.engine.close();
  await two.engine.close();
});

test("deliver() is no `duplicate` where another process told nobody in the same revision", async () => {
  const one = await world({ owner: "one" });
  const { store, clock } = one;
  const two = await world({ owner: "two", clock, store });
  for (const { engine } of [one, two]) {
    engine.register(ledgerMachine({ work: () => Promise.resolve(0), ship: async () => {} }));
  }
  await one.engine.start("a", "ledger");
  // Both know revision 1.
  assert.is((await two.engine.start("a", "ledger")).outcome, "duplicate");
  const tell = { type: "TELL", to: "nobody", tag: "t" };
  await one.engine.deliver("a", tell, { eventId: "first" });
  assert.equal(await two.engine.deliver("a", tell, { eventId: "second" }), {
    outcome: "applied",
    revision: 3,
  });
  const letters = (await store.deadLetters("nobody", 10)).map((row) => row.eventId);
  assert.equal(letters, ["a:2:t0", "a:3:t0"]);
  await one.engine.close();
  await two.engine.close();
});
