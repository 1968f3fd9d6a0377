import * as assert from "uvu/assert";
import type { MachineRow } from "../../runtime/store/store.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { suite } from "../harness.ts";
import { faultyStore, type Leg } from "./faulty-store.ts";

const test = suite("faulty store");

const machine: MachineRow = { hash: "h", name: "m", definition: "{}", at: 0 };

for (const [lostLeg, isPerformed] of [["request", false], ["reply", true]] as const) {
  test(`a call whose ${lostLeg} is lost ${isPerformed ? "was" : "was not"} performed`, async () => {
    const inner = openMemoryStore();
    const store = faultyStore(inner, (call, leg) => {
      return leg === lostLeg ? Promise.reject(new RangeError(`lost ${call}`)) : Promise.resolve();
    });
    let error: unknown;
    await store.putMachine(machine).catch((reason: unknown) => error = reason);
    assert.is((error as Error).message, "lost putMachine");
    assert.is(await inner.machine("h") !== undefined, isPerformed);
  });
}

test("a call is performed between its request and its reply", async () => {
  const inner = openMemoryStore();
  const seen: [Leg, boolean][] = [];
  const store = faultyStore(inner, async (_call, leg) => {
    seen.push([leg, await inner.machine("h") !== undefined]);
  });
  await store.putMachine(machine);
  assert.equal(seen, [["request", false], ["reply", true]]);
});
