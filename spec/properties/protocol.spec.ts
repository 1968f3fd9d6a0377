import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { protocolProperties } from "./protocol-properties.ts";

const test = suite("protocol");

const facts: Readonly<Record<string, string>> = {
  P1: "an event id has at most one journal row, rows are contiguous, the outbox follows from them",
  effects: "an effect happens at least once, under one key with one request, whatever crashes",
  timers: "a timer that was not cancelled fires exactly once, and not before its time",
  "P-lease": "an owner whose lease another took over neither answers nor settles any more",
  P2: "of candidates that race for it exactly one is current, and an end absorbs",
  P6: "restarts within the period never exceed the intensity",
};

for (const property of protocolProperties) {
  test(`${property.name}: ${facts[property.name]}`, async () => {
    await check(property.of(), { numRuns: 100 });
  }, { timeoutMs: 60_000 });
}
