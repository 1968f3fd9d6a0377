import * as assert from "uvu/assert";
import { type EventFromLogic, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { campaignMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { baseline, failure, none, steady } from "./play.ts";

type Snapshot = SnapshotFrom<typeof campaignMachine>;
type Event = EventFromLogic<typeof campaignMachine>;

const test = suite("campaign/paths");

const outputs: Record<string, unknown[]> = {
  preflight: [{ planned: 2, rejected: none }, { planned: 0, rejected: none }],
  baseline: [baseline],
  close: [{ void: false, reason: null }, { void: true, reason: "control-survived" }],
};

const messages = [
  { type: "CANCEL", reason: "interrupted" },
  { type: "VERDICT", variant: "v1", status: "killed" },
  { type: "POOL_DONE" },
  { type: "POOL_FAILED", failure: failure("permanent") },
] as const;

/** Every event that can come: answers of the invoked port, the state's timer, messages. */
function events(snapshot: Snapshot): Event[] {
  const open = Object.keys(snapshot.children);
  const all = [
    ...open.flatMap((id) =>
      (outputs[id] ?? []).map((output) => ({ type: `xstate.done.actor.${id}`, output }))
    ),
    ...open.flatMap((id) =>
      (["transient", "permanent", "sidecar-lost"] as const).map((kind) => ({
        type: `xstate.error.actor.${id}`,
        error: failure(kind),
      }))
    ),
    ...campaignMachine.events.filter((type) => type.startsWith("xstate.after.")).map((type) => ({
      type,
    })),
    ...messages.filter(({ type }) => type !== "VERDICT" || snapshot.context.counts.killed < 2),
  ];
  return all as unknown as Event[];
}

const reached = getShortestPaths(campaignMachine, {
  input: { campaign: "c1", retry: { ...steady, maxAttempts: 2 } },
  events,
  serializeState: ({ value, context: { tries, end, reason, counts } }) =>
    JSON.stringify([value, tries, end, reason, counts]),
}).map(({ state }) => state);

test("every state is reached", () => {
  const names = new Set(reached.map(({ value }) => JSON.stringify(value)));
  const working = ["preflight", "baseline", "closing"].flatMap((phase) => [
    JSON.stringify({ [phase]: "attempting" }),
    JSON.stringify({ [phase]: "waiting" }),
  ]);
  assert.equal([...names].sort(), [...working, '"running"', '"finished"'].sort());
});

test("every end is reached", () => {
  const ends = new Set(reached.map(({ output }) => output?.end).filter(Boolean));
  assert.equal([...ends].sort(), ["baseline-failed", "cancelled", "complete", "failed", "void"]);
});

test("waiting has the tag, and no other state has", () => {
  for (const state of reached) {
    const value = JSON.stringify(state.value);
    assert.is(state.hasTag("transient"), value.includes("waiting"), value);
  }
});

test("every path to finished went through closing", () => {
  for (const { value, context } of reached) {
    if (value === "finished") assert.ok(context.tries >= 1);
  }
});

test("complete is the only end without a reason", () => {
  for (const { output } of reached) {
    if (output !== undefined) assert.is(output.reason === null, output.end === "complete");
  }
});

test("finished absorbs every event", () => {
  for (const state of reached.filter(({ status }) => status === "done")) {
    for (const event of events(state)) {
      const [next, actions] = transition(campaignMachine, state, event);
      assert.is(next.value, "finished");
      assert.equal(next.output, state.output);
      assert.equal(actions, []);
    }
  }
});
