import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { ManualClock } from "./manual-clock.ts";

const test = suite("manual-clock");

test("advance() fires a timer that was set by another at its own time", () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  clock.setTimeout(() => {
    fired.push(clock.now());
    clock.setTimeout(() => fired.push(clock.now()), 10);
  }, 10);
  clock.advance(100);
  assert.equal(fired, [10, 20]);
  assert.is(clock.now(), 100);
});

test("advance() fires timers of one instant in the order they were set", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.setTimeout(() => fired.push("b"), 5);
  clock.setTimeout(() => fired.push("a"), 1);
  clock.setTimeout(() => fired.push("c"), 5);
  clock.advance(5);
  assert.equal(fired, ["a", "b", "c"]);
});

test("clearTimeout() keeps a timer from firing", () => {
  const clock = new ManualClock();
  clock.clearTimeout(clock.setTimeout(() => assert.unreachable(), 1));
  assert.is(clock.waiting, 0);
  assert.not(clock.next());
});
