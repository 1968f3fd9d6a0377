import * as assert from "uvu/assert";
import fc from "fast-check";
import type { PureActor } from "../../kit/pure-actor.ts";
import type { VariantRunEvent, variantRunMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { failure, outcome, play, steady } from "./play.ts";

type Run = PureActor<typeof variantRunMachine>;

const test = suite("variant-run/properties");

type Move =
  | { readonly kind: "done"; readonly status: "killed" | "survived" | "timeout" | "error" }
  | { readonly kind: "fail"; readonly class: "transient" | "permanent" | "sidecar-lost" }
  | { readonly kind: "event"; readonly event: VariantRunEvent };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("done" as const),
      status: fc.constantFrom("killed" as const, "survived" as const, "timeout" as const, "error"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("fail" as const),
      class: fc.constantFrom("transient" as const, "sidecar-lost" as const, "permanent" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("event" as const),
      event: fc.oneof(
        fc.constant({ type: "CANCEL", reason: "interrupted" } as const),
        fc.nat(3).map((n) => ({
          type: "LOST" as const,
          sidecar: `s${n}`,
          failure: failure("sidecar-lost"),
        })),
      ),
    }),
  },
) as fc.Arbitrary<Move>;

const limits = fc.record({ maxAttempts: fc.integer({ min: 1, max: 4 }), maxLosses: fc.nat(3) });
const moves = fc.array(move, { maxLength: 60 });

/** Plays the host: the open port answers or fails, else the waiting timer fires. */
function make(run: Run, next: Move, granted: Set<number>): void {
  if (next.kind === "event") return void run.send(next.event);
  const [open] = run.invokes;
  if (open === undefined) return void run.fire("backoff");
  const [port, { input }] = open;
  if (next.kind === "fail") return void run.fail(port, failure(next.class));
  const attempt = input.attempt as number;
  switch (port) {
    case "lease":
      granted.add(attempt);
      return void run.done(port, { sidecar: `s${attempt % 4}` });
    case "patch":
      return void run.done(port, { tree: "t1" });
    case "test":
      return void run.done(port, outcome(next.status, next.status === "error" ? "oom" : null));
    default:
      run.done(port);
  }
}

const succeed: Move = { kind: "done", status: "killed" };

test("a run ends whatever happens, within the policy, and gives each lease back once", async () => {
  await check(
    fc.property(limits, moves, ({ maxAttempts, maxLosses }, sequence) => {
      const run = play({ retry: { ...steady, maxAttempts }, maxLosses });
      const granted = new Set<number>();
      const bound = (maxLosses + 2) * 4 * maxAttempts;
      for (let step = 0; run.snapshot.status === "active"; step++) {
        assert.ok(step <= sequence.length + 2 * bound, "the run does not end");
        make(run, sequence[step] ?? succeed, granted);
        const { context } = run.snapshot;
        assert.ok(context.tries <= maxAttempts, "more tries than the policy allows");
        assert.ok(context.losses <= maxLosses + 1, "more losses than the limit allows");
        assert.ok(context.history.length <= 5, "an endless history");
        assert.equal(JSON.parse(JSON.stringify(context)), context, "context is not plain data");
        assert.is(
          granted.size - run.of("release").filter(({ sidecar }) => sidecar !== null).length,
          context.lease !== null && context.lease.sidecar !== null ? 1 : 0,
          "a lease is given back while it is held, or kept after it is left",
        );
      }
      assert.is(run.at, "scored");
      assert.ok(run.calls.length <= bound, `${run.calls.length} port calls`);
      const keys = run.calls.map(({ input }) => input.attempt);
      assert.is(new Set(keys).size, keys.length, "two calls have one key");
      const released = run.of("release").map(({ attempt }) => attempt as number);
      assert.is(new Set(released).size, released.length, "a lease is given back twice");
      assert.equal([...granted].filter((attempt) => !released.includes(attempt)), []);
      assert.is(run.invokes.size + run.timers.size, 0, "something is left open");
    }),
    { numRuns: 300 },
  );
});

test("a scored run stays as it is, whatever is sent", async () => {
  await check(
    fc.property(moves, fc.array(move), (sequence, after) => {
      const run = play();
      for (const next of sequence) {
        if (run.snapshot.status === "active") make(run, next, new Set());
      }
      if (run.snapshot.status === "active") run.send({ type: "CANCEL", reason: "end" });
      const { output } = run.snapshot;
      const effects = run.effects.length;
      for (const next of after) if (next.kind === "event") run.send(next.event);
      assert.is(run.at, "scored");
      assert.equal(run.snapshot.output, output);
      assert.is(run.effects.length, effects);
    }),
  );
});

test("an error or a skip has a reason, and no other verdict has one", async () => {
  await check(
    fc.property(moves, (sequence) => {
      const run = play();
      for (let step = 0; run.snapshot.status === "active"; step++) {
        make(run, sequence[step] ?? succeed, new Set());
      }
      const { output } = run.snapshot;
      const unmeasured = output?.status === "error" || output?.status === "skipped";
      assert.is(typeof output?.reason === "string", unmeasured);
    }),
  );
});

test("transient faults within the limits do not change the verdict", async () => {
  const status = fc.constantFrom("killed" as const, "survived" as const, "error" as const);
  const faults = fc.array(fc.constantFrom("transient" as const, "none" as const));
  await check(
    fc.property(status, faults, (wanted, sequence) => {
      const run = play();
      for (let step = 0; run.snapshot.status === "active"; step++) {
        const fails = sequence[step] === "transient" && run.snapshot.context.tries < 3;
        make(
          run,
          fails ? { kind: "fail", class: "transient" } : { kind: "done", status: wanted },
          new Set(),
        );
      }
      assert.is(run.snapshot.output?.status, wanted);
    }),
  );
});
