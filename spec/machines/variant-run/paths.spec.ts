import * as assert from "uvu/assert";
import { type EventFromLogic, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { variantRunMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { failure, outcome, steady } from "./play.ts";

type Snapshot = SnapshotFrom<typeof variantRunMachine>;
type Event = EventFromLogic<typeof variantRunMachine>;

const test = suite("variant-run/paths");

const classes = ["transient", "permanent", "sidecar-lost"] as const;
const outputs: Record<string, unknown[]> = {
  lease: [{ sidecar: "s1" }],
  sync: [undefined],
  patch: [{ tree: "t1" }],
  test: (["killed", "survived", "timeout", "error"] as const).map((status) => outcome(status)),
};

/** Every event that can come: answers of the invoked port, the timer of the state, messages. */
function events(snapshot: Snapshot): Event[] {
  const open = Object.keys(snapshot.children);
  const all = [
    ...open.flatMap((id) =>
      (outputs[id] ?? []).map((output) => ({ type: `xstate.done.actor.${id}`, output }))
    ),
    ...open.flatMap((id) =>
      classes.map((kind) => ({ type: `xstate.error.actor.${id}`, error: failure(kind) }))
    ),
    ...Object.keys(snapshot.value).map((phase) => ({
      type: `xstate.after.backoff.variantRun.${phase}.waiting`,
    })),
    { type: "CANCEL", reason: "interrupted" },
    { type: "LOST", sidecar: "s1", failure: failure("sidecar-lost") },
  ];
  return all as unknown as Event[];
}

function serialize({ value, context }: Snapshot): string {
  const { tries, losses, alone, score, lease } = context;
  return JSON.stringify([
    value,
    tries,
    losses,
    alone,
    score?.status,
    score?.reason,
    lease === null,
  ]);
}

const paths = getShortestPaths(variantRunMachine, {
  input: { campaign: "c1", variant: "v1", retry: { ...steady, maxAttempts: 2 }, maxLosses: 1 },
  events,
  serializeState: serialize,
});
const reached = paths.map(({ state }) => state);
const names = new Set(reached.map(({ value }) => JSON.stringify(value)));

test("every state is reached", () => {
  const working = ["booting", "syncing", "patching", "testing"].flatMap((phase) => [
    JSON.stringify({ [phase]: "attempting" }),
    JSON.stringify({ [phase]: "waiting" }),
  ]);
  assert.equal([...names].sort(), [...working, '"scored"'].sort());
});

test("the states of work are attempting and waiting, and only waiting has the tag", () => {
  for (const state of reached) {
    const waiting = JSON.stringify(state.value).includes("waiting");
    assert.is(state.hasTag("transient"), waiting, JSON.stringify(state.value));
  }
});

test("every verdict is reached", () => {
  const statuses = new Set(reached.map(({ output }) => output?.status).filter(Boolean));
  assert.equal([...statuses].sort(), ["error", "killed", "skipped", "survived", "timeout"]);
});

test("scored absorbs every event", () => {
  for (const state of reached.filter(({ status }) => status === "done")) {
    for (const event of [...events(reached[0] as Snapshot), ...events(state)]) {
      if (event.type.startsWith("xstate.error.")) continue;
      const [next, actions] = transition(variantRunMachine, state, event);
      assert.equal(actions, []);
      assert.is(next.value, "scored");
      assert.equal(next.output, state.output);
      assert.equal(next.context, state.context);
    }
  }
});

test("no state ends in an error of the machine", () => {
  for (const { status, value } of reached) {
    assert.is(status, value === "scored" ? "done" : "active");
  }
});

test("attempts, losses and tries stay within the policy on every path", () => {
  for (const { context } of reached) {
    assert.ok(context.tries <= 2);
    assert.ok(context.losses <= 2);
  }
});
