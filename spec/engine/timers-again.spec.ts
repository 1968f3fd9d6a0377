import * as assert from "uvu/assert";
import { assign, raise, setup } from "xstate";
import { suite } from "../harness.ts";
import { world } from "./engine-kit.ts";

const test = suite("timers again");

const ticker = setup({
  types: { context: {} as { ticks: number }, events: {} as { type: "SET" } | { type: "TICK" } },
}).createMachine({
  id: "ticker",
  options: { maxIterations: 100 },
  context: { ticks: 0 },
  on: {
    SET: {
      actions: [
        raise({ type: "TICK" }, { id: "t", delay: 10 }),
        raise({ type: "TICK" }, { id: "t", delay: 20 }),
      ],
    },
    TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
  },
});

test("a delayed event that is set twice under one id in one transition fires twice, at its times", async () => {
  const { engine, store, clock } = await world();
  engine.register(ticker);
  await engine.start("t", "ticker");
  await engine.deliver("t", { type: "SET" }, { eventId: "set" });
  const ticks: unknown[] = [];
  for (const ms of [9, 1, 9, 1, 100]) {
    await clock.advance(ms);
    ticks.push((await engine.actor("t"))?.context);
  }
  assert.equal(ticks, [0, 1, 1, 2, 2].map((each) => ({ ticks: each })));
  assert.equal(await store.timers("t", 10), []);
  await engine.close();
});
