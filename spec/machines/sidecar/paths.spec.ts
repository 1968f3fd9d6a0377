import * as assert from "uvu/assert";
import { type EventFromLogic, type SnapshotFrom, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { sidecarMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { disconnected, failure, steady } from "./play.ts";

type Snapshot = SnapshotFrom<typeof sidecarMachine>;
type Event = EventFromLogic<typeof sidecarMachine>;

const test = suite("sidecar/paths");

const messages = [
  { type: "LEASE", by: "run-1" },
  { type: "RELEASE", by: "run-1" },
  { type: "RELEASE", by: "run-2" },
  { type: "DRAIN" },
  { type: "LOST", failure: failure("sidecar-lost") },
  disconnected,
] as const;

/** Every event that can come: answers of the invoked port, the state's timers, messages. */
function events(snapshot: Snapshot): Event[] {
  const open = Object.keys(snapshot.children);
  const all = [
    ...open.filter((id) => id !== "watch").map((id) => ({
      type: `xstate.done.actor.${id}`,
      output: id === "boot" ? { endpoint: { port: 22 } } : undefined,
    })),
    ...open.flatMap((id) =>
      (["transient", "permanent", "sidecar-lost"] as const).map((kind) => ({
        type: `xstate.error.actor.${id}`,
        error: failure(kind),
      }))
    ),
    ...sidecarMachine.events.filter((type) => type.startsWith("xstate.after.")).map((type) => ({
      type,
    })),
    ...messages,
  ];
  return all as unknown as Event[];
}

const reached = getShortestPaths(sidecarMachine, {
  input: {
    sidecar: "sc-1",
    spec: null,
    retry: { ...steady, maxAttempts: 2 },
    syncRetry: { ...steady, maxAttempts: 2 },
    reattachRetry: { ...steady, maxAttempts: 2 },
    destroyRetry: { ...steady, maxAttempts: 2 },
    maxRestarts: 1,
  },
  events,
  serializeState: ({ value, context }) => {
    const { tries, restarts, lease, reason, destroyed } = context;
    return JSON.stringify([value, tries, restarts, lease, reason, destroyed]);
  },
}).map(({ state }) => state);

test("every state is reached", () => {
  const names = new Set(reached.map(({ value }) => JSON.stringify(value)));
  assert.equal(
    [...names].sort(),
    [
      { booting: "attempting" },
      { booting: "waiting" },
      { syncing: "attempting" },
      { syncing: "waiting" },
      { up: { lease: "ready", connection: "attached" } },
      { up: { lease: "ready", connection: { reattaching: "attempting" } } },
      { up: { lease: "ready", connection: { reattaching: "waiting" } } },
      { up: { lease: "leased", connection: "attached" } },
      { up: { lease: "leased", connection: { reattaching: "attempting" } } },
      { up: { lease: "leased", connection: { reattaching: "waiting" } } },
      "lost",
      { draining: "returning" },
      { draining: { destroying: "attempting" } },
      { draining: { destroying: "waiting" } },
      "stopped",
    ].map((value) => JSON.stringify(value)).sort(),
  );
});

test("the states that wait for another try have the tag, and no other has", () => {
  for (const state of reached) {
    const value = JSON.stringify(state.value);
    assert.is(state.hasTag("transient"), value.includes("waiting") || value === '"lost"', value);
  }
});

test("watch is invoked in every state that is up, and in returning", () => {
  for (const state of reached) {
    const value = JSON.stringify(state.value);
    const watched = value.includes('"up"') || value.includes("returning");
    assert.is(state.children.watch !== undefined, watched, value);
  }
});

test("a lease is held in leased and returning, and nowhere else", () => {
  for (const { value, context } of reached) {
    const held = /leased|returning/.test(JSON.stringify(value));
    assert.is(context.lease !== null, held, JSON.stringify(value));
  }
});

test("attach is invoked while it is dialled again, and at no other time", () => {
  for (const state of reached) {
    const value = JSON.stringify(state.value);
    const dials = value.includes('"reattaching":"attempting"');
    assert.is(state.children.attach !== undefined, dials, value);
  }
});

test("an endpoint is known from syncing on, until the sidecar is lost", () => {
  for (const { value, context } of reached) {
    const name = JSON.stringify(value);
    if (/syncing|"up"|returning/.test(name)) assert.is.not(context.endpoint, null, name);
    if (/booting|lost/.test(name)) assert.is(context.endpoint, null, name);
  }
});

test("stopped says destroyed, or which failure kept it", () => {
  const outputs = reached.flatMap(({ output }) => output === undefined ? [] : [output]);
  assert.equal([...new Set(outputs.map(({ destroyed }) => destroyed))].sort(), [false, true]);
  for (const { destroyed, failure } of outputs) assert.is(failure === null, destroyed);
});

test("stopped absorbs every event", () => {
  for (const state of reached.filter(({ status }) => status === "done")) {
    for (const event of events(state)) {
      const [next, actions] = transition(sidecarMachine, state, event);
      assert.is(next.value, "stopped");
      assert.equal(next.output, state.output);
      assert.equal(actions, []);
    }
  }
});
