import * as assert from "uvu/assert";
import type { Clock } from "../../runtime/clock.ts";
import { currentOwner } from "../../runtime/sidecars/local/owner.ts";
import { openMemoryStore } from "../../runtime/store/mod.ts";
import { lockWarm } from "../../runtime/warm/warm-lock.ts";
import { WarmRecords } from "../../runtime/warm/warm-records.ts";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { until } from "../kit/processes.ts";

const test = suite("lockWarm");

const THEIRS = { owner: currentOwner(), engine: "theirs", beat: 0 };

async function locked() {
  const store = openMemoryStore();
  const manual = new ManualClock();
  const clock: Clock = {
    now: () => manual.now(),
    setTimeout: (callback, delayMs) => manual.setTimeout(callback, delayMs),
    clearTimeout: (handle) => manual.clearTimeout(handle as number),
  };
  const records = new WarmRecords(store, clock);
  const lock = await lockWarm({
    store,
    clock,
    key: "key",
    engine: "mine",
    signal: new AbortController().signal,
    onWait: () => {},
  });
  const row = () => records.read<typeof THEIRS>("locks", "key");
  return { lock, manual, records, row };
}

test("lockWarm() gives signs of life, and release() removes the row", async () => {
  const { lock, manual, row } = await locked();
  for (const beat of [10_000, 20_000]) {
    manual.advance(10_000);
    await until("the next beat is due", () => manual.waiting === 1);
    assert.equal([(await row())?.engine, (await row())?.beat], ["mine", beat]);
  }
  manual.advance(10_000);
  await lock.release();
  assert.is(await row(), undefined);
  assert.is(manual.waiting, 0);
});

test("lockWarm() leaves a lock that was taken over as it is", async () => {
  const { lock, manual, records, row } = await locked();
  await records.write("locks", "key", THEIRS);
  manual.advance(10_000);
  await lock.release();
  assert.equal(await row(), THEIRS);
  assert.is(manual.waiting, 0);
});
