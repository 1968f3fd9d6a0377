import * as assert from "uvu/assert";
import fc from "fast-check";
import type { CanaryVersionEmitted, CanaryVersionEvent } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { decided, play, playCanary, told } from "./play.ts";

const test = suite("canary-version/properties");

type Move = CanaryVersionEvent | { readonly type: "timer" };

const trial = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
const type = fc.constantFrom(
  "START",
  "PROMOTE",
  "REJECT",
  "HOLD",
  "HOLD",
  "RESUME",
  "EXPIRE",
  "SUPERSEDE",
  "REGRESS",
);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(type, trial).map(([type, trial]) => told(type, trial)) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom("reject", "promote", "hold"),
      fc.integer({ min: 1, max: 3 }),
    )
      .map(([verdict, trial]) => decided(verdict, trial)),
  },
  { weight: 1, arbitrary: fc.constant({ type: "timer" as const }) },
);
const ending = fc.constantFrom("reject", "shelve");
const input = fc.record({
  first: fc.boolean(),
  watchMs: fc.constantFrom(0, 1_000),
  onExpire: ending,
  onSupersede: ending,
});

const BEGUN = ["pending", "canary", "current", "rejected", "superseded"] as const;
const LEADS: Readonly<Record<(typeof BEGUN)[number], readonly string[]>> = {
  pending: ["canary", "current", "rejected"],
  canary: ["canary", "pending", "current", "rejected"],
  current: ["current", "superseded"],
  rejected: [],
  superseded: [],
};

test("whatever comes in whatever order, each step is announced once and allowed", async () => {
  await check(
    fc.property(input, fc.array(move, { maxLength: 40 }), (policy, sequence) => {
      const actor = play(policy);
      let hasBeenCurrent = false;
      for (const move of sequence) {
        const before = actor.at.split(".")[0] as (typeof BEGUN)[number];
        const at = actor.at;
        const said = actor.effects.length;
        const { context } = actor.snapshot;
        if (move.type !== "timer") actor.send(move);
        else if (actor.timers.size > 0) actor.fire("");
        const after = actor.at.split(".")[0] as (typeof BEGUN)[number];
        const news = actor.effects.slice(said) as unknown as { params: CanaryVersionEmitted }[];
        if (before !== after) assert.ok(LEADS[before].includes(after), `${before} to ${after}`);
        const moved = at !== actor.at ||
          context.held?.blocks !== actor.snapshot.context.held?.blocks;
        assert.is(news.length, moved ? 1 : 0, `${at} to ${actor.at} by ${move.type}`);
        for (const { params } of news) {
          assert.equal([params.from, params.to], [before, after]);
          assert.ok(params.by !== "" && params.reason !== "");
          assert.ok(params.evidence !== undefined);
        }
        hasBeenCurrent ||= after === "current";
        assert.not(after === "rejected" && hasBeenCurrent, "rejected and current");
        const { snapshot } = actor;
        assert.equal(JSON.parse(JSON.stringify(snapshot.context)), snapshot.context);
      }
    }),
    { numRuns: 300 },
  );
});

test("racing endings end a canary exactly once, by the first of them", async () => {
  const endings = fc.shuffledSubarray([
    decided("reject"),
    decided("promote"),
    told("PROMOTE"),
    told("REJECT"),
    told("EXPIRE"),
    told("SUPERSEDE"),
  ], { minLength: 2 });
  await check(
    fc.property(endings, fc.boolean(), (racing, held) => {
      const alone = playCanary();
      const raced = playCanary();
      if (held) { for (const each of [alone, raced]) each.send(decided("hold")); }
      const [first] = racing;
      if (first !== undefined) alone.send(first);
      // What supersedes a version that has won the race is another promotion.
      const rest = alone.at.startsWith("current")
        ? racing.filter(({ type }) => type !== "SUPERSEDE")
        : racing;
      for (const event of rest) raced.send(event);
      assert.is(raced.at, alone.at);
      assert.equal(raced.effects, alone.effects);
      assert.ok(!raced.at.startsWith("canary"));
    }),
    { numRuns: 200 },
  );
});
