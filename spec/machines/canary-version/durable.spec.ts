import * as assert from "uvu/assert";
import { createActor } from "xstate";
import {
  type CanaryVersionEmitted,
  type CanaryVersionEvent,
  canaryVersionMachine,
} from "../../../machines/mod.ts";
import type { EventData } from "../../../runtime/engine/actor-state.ts";
import { openEngine, VirtualClock } from "../../../runtime/engine/mod.ts";
import { openMemoryStore } from "../../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { decided, told } from "./play.ts";

const test = suite("canary-version/durable");

const input = {
  stream: "planner",
  version: "planner@v7",
  by: "person:ann",
  expireMs: 60_000,
  watchMs: 5_000,
} as const;

const lives: Readonly<Record<string, readonly (CanaryVersionEvent | number)[]>> = {
  "rolled back while it is held": [told("START"), 10, told("HOLD"), decided("reject")],
  "promoted after a hold, watched, superseded": [
    told("START"),
    told("HOLD"),
    decided("promote"),
    10,
    told("RESUME"),
    6_000,
    told("SUPERSEDE"),
  ],
  "expired while it is held": [told("START"), 30_000, told("HOLD"), 40_000, decided("promote")],
};

async function openVersions(store: Store, clock: VirtualClock) {
  const said: CanaryVersionEmitted[] = [];
  const engine = await openEngine({ store, clock });
  engine.on({}, ({ event }) => void said.push(event as unknown as CanaryVersionEmitted));
  engine.register(canaryVersionMachine);
  return { engine, said };
}

for (const [name, life] of Object.entries(lives)) {
  test(`a version ${name} comes to the same in the engine and as a bare actor`, async () => {
    const clock = new ManualClock();
    const heard: CanaryVersionEmitted[] = [];
    const bare = createActor(canaryVersionMachine, { input, clock });
    bare.on("*", (event) => heard.push(event));
    bare.start();
    for (const step of life) typeof step === "number" ? clock.advance(step) : bare.send(step);

    const time = new VirtualClock();
    const { engine, said } = await openVersions(openMemoryStore(), time);
    try {
      await engine.start("planner@v7", "canaryVersion", { input });
      for (const [n, step] of life.entries()) {
        if (typeof step === "number") await time.advance(step);
        else {
          await engine.deliver("planner@v7", step as unknown as EventData, { eventId: `e${n}` });
        }
        await engine.idle();
      }
      const { value, context, output } = await engine.actor("planner@v7") ?? {};
      const end = bare.getSnapshot();
      assert.equal([value, context], [end.value, end.context]);
      assert.equal(output ?? undefined, end.output);
      assert.equal(said, heard);
    } finally {
      await engine.close();
    }
  });
}

test("the expiry of a canary outlives the process that started it", async () => {
  const store = openMemoryStore();
  const clock = new VirtualClock();
  const first = await openVersions(store, clock);
  await first.engine.start("planner@v7", "canaryVersion", { input });
  const start = told("START") as unknown as EventData;
  await first.engine.deliver("planner@v7", start, { eventId: "start" });
  await first.engine.idle();
  await clock.advance(20_000);
  await first.engine.close();
  await clock.advance(20_000);
  const second = await openVersions(store, clock);
  try {
    await second.engine.idle();
    assert.equal((await second.engine.actor("planner@v7"))?.value, { canary: "sampling" });
    await clock.advance(20_000);
    await second.engine.waitFor("planner@v7", ({ value }) => value === "rejected");
    await second.engine.idle();
    assert.equal(second.said.map(({ type }) => type), ["candidate.expired"]);
  } finally {
    await second.engine.close();
  }
});

test("two racing verdicts of one trial are decided once, and announced once", async () => {
  const { engine, said } = await openVersions(openMemoryStore(), new VirtualClock());
  try {
    await engine.start("planner@v7", "canaryVersion", { input });
    const deliver = (event: CanaryVersionEvent, eventId: string) =>
      engine.deliver("planner@v7", event as unknown as EventData, { eventId });
    await deliver(told("START"), "start");
    await Promise.all([
      deliver(decided("reject"), "a"),
      deliver(decided("promote"), "b"),
      deliver(told("PROMOTE"), "c"),
      deliver(decided("reject"), "a"),
    ]);
    await engine.idle();
    const ends = said.filter(({ to }) => to !== "pending" && to !== "canary");
    assert.is(ends.length, 1);
  } finally {
    await engine.close();
  }
});
