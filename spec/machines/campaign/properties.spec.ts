import * as assert from "uvu/assert";
import fc from "fast-check";
import type { VerdictStatus } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { baseline, failure, none, playTo, steady } from "./play.ts";

const test = suite("campaign/properties");

const statuses: VerdictStatus[] = ["killed", "survived", "timeout", "error", "skipped"];
const status = fc.constantFrom(...statuses);
const kinds = fc.constantFrom("transient" as const, "permanent" as const, "sidecar-lost" as const);

type Move = "done" | "pool" | "cancel" | {
  readonly fails: "transient" | "permanent" | "sidecar-lost";
};

const moves = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Move>("done") },
    { weight: 2, arbitrary: kinds.map((fails): Move => ({ fails })) },
    { weight: 2, arbitrary: fc.constant<Move>("pool") },
    { weight: 1, arbitrary: fc.constant<Move>("cancel") },
  ),
  { maxLength: 40 },
);

const outputs: Record<string, unknown> = {
  preflight: { planned: 3, rejected: none },
  baseline,
  close: { void: false, reason: null },
};

test("a campaign finishes whatever happens, within the policy, and always cleans up", async () => {
  await check(
    fc.property(fc.integer({ min: 1, max: 3 }), moves, (maxAttempts, sequence) => {
      const campaign = playTo("preflight", { retry: { ...steady, maxAttempts } });
      for (let step = 0; campaign.snapshot.status === "active"; step++) {
        assert.ok(step < sequence.length + 30, "the campaign does not end");
        const move = sequence[step] ?? "done";
        const [port] = campaign.invokes.keys();
        if (move === "cancel") campaign.send({ type: "CANCEL", reason: "interrupted" });
        else if (port === undefined) campaign.fire("backoff");
        else if (typeof move === "object") campaign.fail(port, failure(move.fails));
        else if (port !== "pool") campaign.done(port, outputs[port]);
        else if (move === "pool") {
          campaign.send({ type: "VERDICT", variant: "v", status: "killed" });
        } else campaign.send({ type: "POOL_DONE" });
        const { context } = campaign.snapshot;
        assert.ok(context.tries <= maxAttempts, "more tries than the policy allows");
        assert.equal(JSON.parse(JSON.stringify(context)), context, "context is not plain data");
      }
      assert.is(campaign.at, "finished");
      assert.ok(campaign.calls.some(({ src }) => src === "close"), "nothing was cleaned up");
      assert.is(campaign.invokes.size + campaign.timers.size, 0, "something is left open");
      const cancelled = campaign.calls.some(({ input }) => input.end === "cancelled");
      if (cancelled) assert.is(campaign.snapshot.output?.end, "cancelled");
    }),
    { numRuns: 300 },
  );
});

test("the counts are those of the verdicts that stand", async () => {
  const steps = fc.array(fc.record({ status, revoke: fc.boolean() }), { maxLength: 30 });
  await check(
    fc.property(steps, (sequence) => {
      const campaign = playTo("running");
      const standing: VerdictStatus[] = ["error"];
      let revoked = 0;
      for (const { status, revoke } of sequence) {
        campaign.send({ type: "VERDICT", variant: "v", status });
        if (!revoke) standing.push(status);
        else {
          campaign.send({ type: "REVOKED", variant: "v", status });
          revoked++;
        }
      }
      const { counts } = campaign.snapshot.context;
      for (const each of statuses) {
        assert.is(counts[each], standing.filter((status) => status === each).length);
      }
      assert.is(counts.revoked, revoked);
    }),
  );
});
