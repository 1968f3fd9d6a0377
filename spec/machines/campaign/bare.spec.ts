import * as assert from "uvu/assert";
import { createActor, type EventObject, fromCallback, fromPromise, toPromise } from "xstate";
import {
  type Baseline,
  type CampaignPorts,
  type CampaignWorkInput,
  type Closed,
  type CloseInput,
  type PoolEvent,
  type PoolInput,
  type Preflight,
  provideCampaign,
} from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { baseline, failure, none, steady } from "./play.ts";

const test = suite("campaign/bare");

/** Ports that answer at once; `events` is what the pool sends. */
function fakePorts(events: readonly PoolEvent[], log: string[] = []): CampaignPorts {
  return {
    preflight: fromPromise<Preflight, CampaignWorkInput>(({ input }) => {
      if (input.attempt === 1) return Promise.reject(failure("transient"));
      return Promise.resolve({ planned: 2, rejected: none });
    }),
    baseline: fromPromise<Baseline, CampaignWorkInput>(() => Promise.resolve(baseline)),
    pool: fromCallback<EventObject, PoolInput>(({ sendBack }) => {
      for (const event of events) queueMicrotask(() => sendBack(event));
      return () => void log.push("pool stopped");
    }),
    close: fromPromise<Closed, CloseInput>(({ input }) => {
      log.push(`close ${input.end}`);
      return Promise.resolve({ void: false, reason: null });
    }),
  };
}

test("a bare actor waits for its preflight, counts verdicts and finishes", async () => {
  const clock = new ManualClock();
  const log: string[] = [];
  const machine = provideCampaign(fakePorts([
    { type: "VERDICT", variant: "v1", status: "killed" },
    { type: "VERDICT", variant: "v2", status: "timeout" },
    { type: "POOL_DONE" },
  ], log));
  const actor = createActor(machine, { input: { campaign: "c1", retry: steady }, clock });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
  });
  actor.start();
  const output = await toPromise(actor);
  assert.equal(output, {
    end: "complete",
    counts: { planned: 2, ...none, killed: 1, timeout: 1, revoked: 0 },
    reason: null,
  });
  assert.is(clock.now(), 100);
  assert.equal(log, ["pool stopped", "close complete"]);
});

test("CANCEL stops the pool of a bare actor before it cleans up", async () => {
  const log: string[] = [];
  const clock = new ManualClock();
  const actor = createActor(provideCampaign(fakePorts([], log)), {
    input: { campaign: "c1", retry: steady },
    clock,
  });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
    if (snapshot.matches("running")) {
      queueMicrotask(() => actor.send({ type: "CANCEL", reason: "interrupted" }));
    }
  });
  actor.start();
  assert.is((await toPromise(actor)).end, "cancelled");
  assert.equal(log, ["pool stopped", "close cancelled"]);
});
