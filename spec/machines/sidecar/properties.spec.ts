import * as assert from "uvu/assert";
import fc from "fast-check";
import type { SidecarEvent, SidecarInput, sidecarMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import type { PureActor } from "../../kit/pure-actor.ts";
import { HostModel, type Luck } from "./host-model.ts";
import { disconnected, failure, play, steady } from "./play.ts";

const test = suite("sidecar/properties");

type Move =
  | { readonly kind: "answer"; readonly luck: Luck }
  | { readonly kind: "timer"; readonly pick: number }
  | { readonly kind: "watch-breaks" }
  | { readonly kind: "event"; readonly event: SidecarEvent };

const by = fc.constantFrom("run-1", "run-2");
const event: fc.Arbitrary<SidecarEvent> = fc.oneof(
  { weight: 4, arbitrary: by.map((by) => ({ type: "LEASE" as const, by })) },
  { weight: 4, arbitrary: by.map((by) => ({ type: "RELEASE" as const, by })) },
  { weight: 1, arbitrary: fc.constant({ type: "DRAIN" as const }) },
  { weight: 4, arbitrary: fc.constant(disconnected) },
  {
    weight: 2,
    arbitrary: fc.constant({ type: "LOST" as const, failure: failure("sidecar-lost") }),
  },
);
const luck = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Luck>("works") },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Luck>("answer-lost", "too-early", "refused", "gone"),
  },
  { weight: 1, arbitrary: fc.constant<Luck>("forbidden") },
);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: luck.map((luck): Move => ({ kind: "answer", luck })) },
  { weight: 3, arbitrary: fc.nat(1).map((pick): Move => ({ kind: "timer", pick })) },
  { weight: 6, arbitrary: event.map((event): Move => ({ kind: "event", event })) },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: "watch-breaks" }) },
);
const moves = fc.array(move, { maxLength: 80 });
/** Without DRAIN and what can never work, which end most lives before much has gone wrong. */
const misfortunes = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom<Luck>("works", "works", "answer-lost", "gone")
        .map((luck): Move => ({ kind: "answer", luck })),
    },
    { weight: 4, arbitrary: fc.constant<Move>({ kind: "timer", pick: 0 }) },
    {
      weight: 1,
      arbitrary: fc.constant<Move>({
        kind: "event",
        event: { type: "LOST", failure: failure("sidecar-lost") },
      }),
    },
  ),
  { minLength: 10, maxLength: 60 },
);
const limits = fc.record({ maxAttempts: fc.integer({ min: 1, max: 3 }), maxRestarts: fc.nat(2) });

/** A sidecar whose ports are played by a {@link HostModel}, and what happened to it. */
class Life {
  readonly hosts = new HostModel();
  readonly sidecar: PureActor<typeof sidecarMachine>;
  /** How often it has come to `lost`. */
  losses = 0;

  constructor({ maxAttempts, maxRestarts }: { maxAttempts: number; maxRestarts: number }) {
    const policy = { ...steady, maxAttempts };
    const input: Partial<SidecarInput> = {
      retry: policy,
      syncRetry: policy,
      reattachRetry: policy,
      destroyRetry: policy,
      maxRestarts,
    };
    this.sidecar = play(input);
  }

  get isOver(): boolean {
    return this.sidecar.snapshot.status !== "active";
  }

  make(move: Move): void {
    const { sidecar } = this;
    const wasLost = sidecar.at === "lost";
    this.#make(move);
    if (sidecar.at === "lost" && !wasLost) this.losses++;
  }

  /** Drains it, and everything works from now on. */
  end(): void {
    if (!this.isOver) this.make({ kind: "event", event: { type: "DRAIN" } });
    for (let step = 0; !this.isOver; step++) {
      assert.ok(step < 3, "draining does not end");
      const { at } = this.sidecar;
      const waits = at === "draining.returning" || at.endsWith("waiting");
      this.make(waits ? { kind: "timer", pick: 0 } : { kind: "answer", luck: "works" });
    }
  }

  #make(move: Move): void {
    const { sidecar } = this;
    switch (move.kind) {
      case "event":
        return void sidecar.send(move.event);
      case "watch-breaks":
        if (sidecar.invokes.has("watch")) sidecar.fail("watch", new Error("a defect"));
        return;
      case "timer": {
        const names = [...sidecar.timers.keys()];
        const name = names[move.pick % names.length];
        if (name !== undefined) sidecar.fire(name);
        return;
      }
      case "answer": {
        const [open] = [...sidecar.invokes].filter(([id]) => id !== "watch");
        if (open === undefined) return;
        const answer = this.hosts.answer(open[1], move.luck);
        if ("failure" in answer) sidecar.fail(open[0], answer.failure);
        else sidecar.done(open[0], answer.output);
      }
    }
  }
}

test("a sidecar keeps its limits, and stops once it is drained", async () => {
  await check(
    fc.property(limits, moves, (limit, sequence) => {
      const life = new Life(limit);
      const { sidecar } = life;
      for (const move of sequence) {
        if (life.isOver) break;
        life.make(move);
        const { context } = sidecar.snapshot;
        assert.ok(context.tries <= limit.maxAttempts, "more tries than the policy allows");
        assert.ok(context.restarts <= limit.maxRestarts, "more restarts than the limit allows");
        assert.equal(JSON.parse(JSON.stringify(context)), context, "context is not plain data");
        assert.is(
          sidecar.invokes.has("watch"),
          /^up|returning/.test(sidecar.at),
          `watch in ${sidecar.at}`,
        );
      }
      life.end();
      assert.is(sidecar.at, "stopped");
      assert.is(sidecar.invokes.size + sidecar.timers.size, 0, "something is left open");
      const keys = sidecar.calls.flatMap(({ src, input }) =>
        src === "watch" ? [] : [input.attempt]
      );
      assert.is(new Set(keys).size, keys.length, "two calls have one key");
      assert.equal(
        sidecar.of("RETRYING").filter(({ tries }) =>
          !(Number(tries) >= 1 && Number(tries) < limit.maxAttempts)
        ),
        [],
        "a retry beyond the policy was announced",
      );
    }),
    { numRuns: 300 },
  );
});

test("what was made is destroyed or reported, and no more is made than was lost", async () => {
  await check(
    fc.property(limits, fc.oneof(moves, misfortunes), (limit, sequence) => {
      const life = new Life(limit);
      for (const move of sequence) {
        if (!life.isOver) life.make(move);
        assert.ok(life.hosts.living.size <= 1, "two hosts have one name");
      }
      life.end();
      const { output } = life.sidecar.snapshot;
      if (output?.destroyed === true) assert.equal([...life.hosts.living], []);
      assert.ok(life.hosts.made <= 1 + life.losses, "a host was made that nobody had lost");
      assert.ok(life.sidecar.calls.some(({ src }) => src === "destroy"), "nothing was destroyed");
    }),
    { numRuns: 500 },
  );
});

test("boot is told fresh after a loss, and before it never", async () => {
  await check(
    fc.property(limits, moves, (limit, sequence) => {
      const life = new Life(limit);
      const { calls } = life.sidecar;
      let seen = 0;
      for (const move of [{ kind: "timer", pick: 0 } as const, ...sequence]) {
        if (life.isOver) break;
        life.make(move);
        for (const { src, input } of calls.slice(seen)) {
          if (src === "boot") assert.is(input.fresh, life.losses > 0);
        }
        seen = calls.length;
      }
    }),
  );
});

test("losses in a row never exceed the restart limit", async () => {
  await check(
    fc.property(limits, moves, (limit, sequence) => {
      const life = new Life(limit);
      let inRow = 0;
      for (const move of sequence) {
        if (life.isOver) break;
        const before = life.losses;
        const { restarts } = life.sidecar.snapshot.context;
        life.make(move);
        if (life.sidecar.snapshot.context.restarts < restarts) inRow = 0;
        inRow += life.losses - before;
        assert.ok(inRow <= limit.maxRestarts);
      }
    }),
  );
});

test("a lease begins while attached, and ends given back, lost aloud, or with the grace", async () => {
  await check(
    fc.property(limits, moves, (limit, sequence) => {
      const life = new Life(limit);
      const { sidecar } = life;
      for (const move of sequence) {
        if (life.isOver) break;
        const { at } = sidecar;
        const { lease } = sidecar.snapshot.context;
        const announced = sidecar.of("SIDECAR_LOST").length;
        life.make(move);
        const now = sidecar.snapshot.context.lease;
        if (now === lease) continue;
        if (now !== null) {
          assert.is(at, "up.lease.ready|connection.attached");
          assert.equal(move, { kind: "event", event: { type: "LEASE", by: now } });
          continue;
        }
        const [told] = sidecar.of("SIDECAR_LOST").slice(announced);
        const isReturned = move.kind === "event" && move.event.type === "RELEASE" &&
          move.event.by === lease;
        const isOverdue = move.kind === "timer" && at === "draining.returning";
        assert.ok(told?.by === lease || isReturned || isOverdue, `${lease} ended in ${at}`);
      }
    }),
    { numRuns: 500 },
  );
});
