import * as assert from "uvu/assert";
import { type EventFromLogic, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { canaryVersionMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { decided, told } from "./play.ts";

type Snapshot = SnapshotFrom<typeof canaryVersionMachine>;
type Event = EventFromLogic<typeof canaryVersionMachine>;

const test = suite("canary-version/paths");

const messages = [
  told("START"),
  decided("reject"),
  decided("promote"),
  decided("hold"),
  told("PROMOTE"),
  told("REJECT"),
  told("HOLD"),
  told("RESUME"),
  told("EXPIRE"),
  told("SUPERSEDE"),
  told("REGRESS"),
];

const timers = canaryVersionMachine.events.filter((type) => type.startsWith("xstate.after."));
const events = [...messages, ...timers.map((type) => ({ type }))] as unknown as Event[];

const policies = [
  { watchMs: 1_000 },
  { watchMs: 0, onExpire: "shelve", onSupersede: "shelve" },
  { first: true },
] as const;

const reached: Snapshot[] = policies.flatMap((policy) =>
  getShortestPaths(canaryVersionMachine, {
    input: { stream: "planner", version: "planner@v7", by: "person:ann", ...policy },
    events,
    // More trials than two show nothing new.
    stopWhen: ({ context }) => context.trial > 2,
    serializeState: ({ value, context }) => {
      const { trial, held, waiting, end, cause } = context;
      return JSON.stringify([value, trial, held?.blocks, waiting === null, end, cause.by]);
    },
  }).map(({ state }) => state)
);

test("every state is reached", () => {
  const names = new Set(reached.map(({ value }) => JSON.stringify(value)));
  assert.equal(
    [...names].sort(),
    [
      "pending",
      { canary: "sampling" },
      { canary: "held" },
      { current: "watching" },
      { current: "settled" },
      { current: "regressed" },
      "rejected",
      "superseded",
    ].map((value) => JSON.stringify(value)).sort(),
  );
});

test("what is remembered of a hold is forgotten when the canary ends", () => {
  for (const { value, context } of reached) {
    const name = JSON.stringify(value);
    assert.is(context.held !== null, name === '{"canary":"held"}', name);
    if (context.waiting !== null) assert.is(name, '{"canary":"held"}');
    assert.is(context.end !== null, /rejected|superseded/.test(name), name);
  }
});

test("the final states absorb every event, and have said how they ended", () => {
  const finals = reached.filter(({ status }) => status === "done");
  assert.equal([...new Set(finals.map(({ value }) => value))].sort(), ["rejected", "superseded"]);
  for (const state of finals) {
    assert.is(state.output?.end, state.value);
    for (const event of events) {
      const [next, actions] = transition(canaryVersionMachine, state, event);
      assert.is(next.value, state.value);
      assert.equal(next.output, state.output);
      assert.equal(actions, []);
    }
  }
});

test("rejected is left by nothing, and is come to from pending and canary alone", () => {
  for (const state of reached) {
    const before = JSON.stringify(state.value);
    for (const event of events) {
      const [next] = transition(canaryVersionMachine, state, event);
      if (next.value !== "rejected" || before === '"rejected"') continue;
      assert.ok(/pending|canary/.test(before), `${before} by ${event.type}`);
    }
  }
});

test("DECIDE after a decision changes nothing", () => {
  for (const state of reached.filter(({ value }) => !/canary/.test(JSON.stringify(value)))) {
    for (const verdict of ["reject", "promote", "hold"] as const) {
      for (const trial of [0, 1, 2]) {
        const [next, actions] = transition(canaryVersionMachine, state, decided(verdict, trial));
        assert.equal(next.value, state.value);
        assert.equal(next.context, state.context);
        assert.equal(actions, []);
      }
    }
  }
});

test("an expiry is armed in every canary, and in no other state", () => {
  for (const state of reached) {
    for (const event of events) {
      const [next, actions] = transition(canaryVersionMachine, state, event);
      const isCanary = JSON.stringify(state.value).includes("canary");
      const willBe = JSON.stringify(next.value).includes("canary");
      const did = (type: string) =>
        actions.some((action) => action.type === type && JSON.stringify(action).includes("expiry"));
      assert.is(did("xstate.raise"), willBe && !isCanary, `${event.type} arms`);
      assert.is(did("xstate.cancel"), isCanary && !willBe, `${event.type} cancels`);
    }
  }
});
