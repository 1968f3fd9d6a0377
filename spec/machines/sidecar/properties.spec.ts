import * as assert from "uvu/assert";
import fc from "fast-check";
import type { SidecarEvent } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { failure, play, steady } from "./play.ts";

const test = suite("sidecar/properties");

type Move =
  | { readonly kind: "done" | "timer" }
  | { readonly kind: "fail"; readonly class: "transient" | "permanent" | "sidecar-lost" }
  | { readonly kind: "event"; readonly event: SidecarEvent };

const by = fc.constantFrom("run-1", "run-2");
const event: fc.Arbitrary<SidecarEvent> = fc.oneof(
  { weight: 4, arbitrary: by.map((by) => ({ type: "LEASE" as const, by })) },
  { weight: 4, arbitrary: by.map((by) => ({ type: "RELEASE" as const, by })) },
  { weight: 1, arbitrary: fc.constant({ type: "DRAIN" as const }) },
  {
    weight: 2,
    arbitrary: fc.constant({ type: "LOST" as const, failure: failure("sidecar-lost") }),
  },
);
const moves = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Move>({ kind: "done" }) },
    { weight: 2, arbitrary: fc.constant<Move>({ kind: "timer" }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "transient" as const,
        "permanent" as const,
        "sidecar-lost" as const,
      )
        .map((kind): Move => ({ kind: "fail", class: kind })),
    },
    { weight: 5, arbitrary: event.map((event): Move => ({ kind: "event", event })) },
  ),
  { maxLength: 60 },
);
const limits = fc.record({ maxAttempts: fc.integer({ min: 1, max: 3 }), maxRestarts: fc.nat(2) });

test("a sidecar keeps its limits, and stops once it is drained, destroyed or reported", async () => {
  await check(
    fc.property(limits, moves, ({ maxAttempts, maxRestarts }, sequence) => {
      const policy = { ...steady, maxAttempts };
      const sidecar = play({ retry: policy, destroyRetry: policy, maxRestarts });
      const make = (move: Move): void => {
        const port = [...sidecar.invokes.keys()].find((id) => id !== "watch");
        if (move.kind === "event") sidecar.send(move.event);
        else if (port !== undefined && move.kind === "done") {
          sidecar.done(port, port === "boot" ? { endpoint: { port: 22 } } : undefined);
        } else if (port !== undefined && move.kind === "fail") {
          sidecar.fail(port, failure(move.class));
        } else if (sidecar.timers.size > 0) {
          sidecar.fire("");
        }
        const { context } = sidecar.snapshot;
        assert.ok(context.tries <= maxAttempts, "more tries than the policy allows");
        assert.ok(context.restarts <= maxRestarts, "more restarts than the limit allows");
        assert.equal(JSON.parse(JSON.stringify(context)), context, "context is not plain data");
      };
      for (const move of sequence) {
        if (sidecar.snapshot.status === "active") make(move);
      }
      if (sidecar.snapshot.status === "active") make({ kind: "event", event: { type: "DRAIN" } });
      for (let step = 0; sidecar.snapshot.status === "active"; step++) {
        assert.ok(step < 3, "draining does not end");
        make(
          step === 0 && sidecar.at === "draining.returning" ? { kind: "timer" } : { kind: "done" },
        );
        if (sidecar.at.endsWith("destroying.waiting")) make({ kind: "timer" });
      }
      assert.is(sidecar.at, "stopped");
      assert.is(sidecar.invokes.size + sidecar.timers.size, 0, "something is left open");
      assert.ok(sidecar.calls.some(({ src }) => src === "destroy"), "destroy was never called");
      const keys = sidecar.calls.flatMap(({ src, input }) =>
        src === "watch" ? [] : [input.attempt]
      );
      assert.is(new Set(keys).size, keys.length, "two calls have one key");
    }),
    { numRuns: 300 },
  );
});
