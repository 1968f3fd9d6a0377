import * as assert from "uvu/assert";
import {
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromPromise,
  raise,
  setup,
} from "xstate";
import type { AnyStateMachine } from "xstate";
import { defineLogic } from "../../runtime/engine/logic.ts";
import { step, type StepInput } from "../../runtime/engine/step.ts";
import type { StepEvent } from "../../runtime/engine/step-event.ts";
import type { StepResult } from "../../runtime/engine/step-result.ts";
import { suite } from "../harness.ts";

const test = suite("step");

const options = { maxIterations: 50 };

type Applied = Extract<StepResult, { outcome: "applied" }>;

/** Folds events over a machine, as the engine would. */
function run(machine: AnyStateMachine, events: readonly StepEvent[], now = 1000): Applied[] {
  const logic = defineLogic(machine);
  const results: Applied[] = [];
  let state: string | null = null;
  for (const event of events) {
    const result = step({
      logic,
      actor: "a",
      state,
      status: "active",
      revision: results.length + 1,
      event,
      now,
    });
    if (result.outcome !== "applied") throw new Error(JSON.stringify(result));
    results.push(result);
    state = JSON.stringify(result.state);
  }
  return results;
}

/** What one more event does to the actor that `last` left. */
function after(
  machine: AnyStateMachine,
  last: Applied | undefined,
  event: StepEvent,
  status: StepInput["status"] = "active",
): StepResult {
  return step({
    logic: defineLogic(machine),
    actor: "a",
    state: JSON.stringify(last?.state),
    status,
    revision: 9,
    event,
    now: 0,
  });
}

function reasonOf(result: StepResult): string {
  return result.outcome === "dead-letter" ? result.reason : result.outcome;
}

const init: StepEvent = { kind: "init", input: null };
const send = (type: string): StepEvent => ({ kind: "event", event: { type } });

const working = setup({
  actors: {
    job: fromPromise<number, { n: number }>(() => Promise.reject(new Error("placeholder"))),
  },
}).createMachine({
  id: "working",
  options,
  context: { got: 0 },
  initial: "busy",
  states: {
    busy: {
      invoke: {
        src: "job",
        id: "job",
        input: () => ({ n: 7 }),
        onDone: { target: "rest", actions: assign({ got: ({ event }) => event.output }) },
        onError: "failed",
      },
      after: { 500: "late" },
      on: { LEAVE: "rest", AGAIN: { target: "busy", reenter: true } },
    },
    rest: { on: { BACK: "busy" } },
    late: {},
    failed: {},
  },
});

test("step() turns an invoke into an effect with its input, and runs no port's code", () => {
  const [first] = run(working, [init]);
  assert.equal(first?.effects, [{ kind: "invoke", invoke: "job", src: "job", input: { n: 7 } }]);
  assert.equal(first?.state.invokes, { job: { src: "job", effect: "a:1:0", input: { n: 7 } } });
});

test("step() sets an after as a timer with the injected time, and clears it when the state is left", () => {
  const [first, second] = run(working, [init, send("LEAVE")], 1000);
  assert.equal(first?.timersSet, ["xstate.after.500.working.busy"]);
  assert.is(first?.state.timers["xstate.after.500.working.busy"]?.due, 1500);
  assert.equal(second?.timersCleared, ["xstate.after.500.working.busy"]);
  assert.equal(second?.state.timers, {});
});

test("step() cancels the effect of an invoke whose state is left", () => {
  const [, second] = run(working, [init, send("LEAVE")]);
  assert.equal(second?.cancelled, ["a:1:0"]);
  assert.equal(second?.state.invokes, {});
});

test("step() gives a re-entered invoke a new incarnation and cancels the old one", () => {
  const [, second] = run(working, [init, send("AGAIN")]);
  assert.equal(second?.cancelled, ["a:1:0"]);
  assert.is(second?.state.invokes["job"]?.effect, "a:2:0");
});

test("step() applies a result of the live incarnation and settles its effect", () => {
  const done: StepEvent = {
    kind: "result",
    invoke: "job",
    effect: "a:1:0",
    result: { kind: "done", output: 42 },
  };
  const [, second] = run(working, [init, done]);
  assert.is(second?.state.snapshot.value, "rest");
  assert.equal(second?.state.snapshot.context, { got: 42 });
  assert.equal(second?.settled, ["a:1:0"]);
  assert.equal(second?.cancelled, []);
});

test("step() answers stale-result for an earlier incarnation, without touching the state", () => {
  const [, second] = run(working, [init, send("AGAIN")]);
  const result = after(working, second, {
    kind: "result",
    invoke: "job",
    effect: "a:1:0",
    result: { kind: "done", output: 1 },
  });
  assert.is(reasonOf(result), "stale-result");
});

test("step() answers stale-timer for a timer that was set again", () => {
  const [, second] = run(working, [init, send("AGAIN")]);
  const result = after(working, second, {
    kind: "timer",
    id: "xstate.after.500.working.busy",
    revision: 1,
  });
  assert.is(reasonOf(result), "stale-timer");
});

test("step() fires a timer once and clears its row", () => {
  const [, second] = run(working, [
    init,
    { kind: "timer", id: "xstate.after.500.working.busy", revision: 1 },
  ]);
  assert.is(second?.state.snapshot.value, "late");
  assert.equal(second?.timersCleared, ["xstate.after.500.working.busy"]);
});

test("step() reports an unhandled failure of a port as failed, with what applying it would be", () => {
  const machine = setup({ actors: { job: fromPromise(() => Promise.resolve()) } }).createMachine({
    id: "m",
    options,
    initial: "x",
    states: { x: { invoke: { src: "job", id: "job" }, after: { 10: "y" } }, y: {} },
  });
  const [first] = run(machine, [init]);
  const result = after(machine, first, {
    kind: "result",
    invoke: "job",
    effect: "a:1:0",
    result: { kind: "error", error: { message: "boom" } },
  });
  if (result.outcome !== "failed") throw new Error(result.outcome);
  assert.equal(result.error, { message: "boom" });
  assert.is(result.applied.state.snapshot.status, "error");
  assert.equal(result.applied.timersCleared, ["xstate.after.10.m.x"]);
});

test("step() never starts an invoke that is entered and left in one macrostep", () => {
  const machine = setup({ actors: { job: fromPromise(() => Promise.resolve()) } }).createMachine({
    id: "m",
    options,
    initial: "a",
    states: {
      a: { on: { GO: "b" } },
      b: { invoke: { src: "job", id: "job" }, always: "c" },
      c: { entry: emit({ type: "here" }) },
    },
  });
  const [, second] = run(machine, [init, send("GO")]);
  assert.equal(second?.effects, [{ kind: "announce", event: { type: "here" } }]);
  assert.equal(second?.state.invokes, {});
});

test("step() keeps named actions with params, context and event as data, in order", () => {
  const machine = setup({ actions: { note: () => {} } }).createMachine({
    id: "m",
    options,
    context: { n: 1 },
    on: {
      GO: {
        actions: [
          { type: "note", params: { a: 1 } } as never,
          assign({ n: 2 }),
          "note",
        ],
      },
    },
  });
  const [, second] = run(machine, [init, send("GO")]);
  assert.equal(second?.effects, [
    { kind: "action", type: "note", params: { a: 1 }, context: { n: 1 }, event: { type: "GO" } },
    { kind: "action", type: "note", params: null, context: { n: 2 }, event: { type: "GO" } },
  ]);
});

test("step() turns the action tell into a tell, also inside enqueueActions", () => {
  const machine = createMachine({
    id: "m",
    options,
    on: {
      GO: {
        actions: [
          { type: "tell", params: { to: "b", event: { type: "HI" } } },
          enqueueActions(({ enqueue }) => {
            enqueue({ type: "tell", params: { to: "c", event: { type: "HO" } } });
          }),
        ],
      },
    },
  });
  const [, second] = run(machine, [init, send("GO")]);
  assert.equal(second?.tells, [
    { to: "b", event: { type: "HI" } },
    { to: "c", event: { type: "HO" } },
  ]);
  assert.equal(second?.effects, []);
});

test("step() gives a delayed raise without an id a reproducible one", () => {
  const machine = createMachine({
    id: "m",
    options,
    on: {
      GO: { actions: [raise({ type: "X" }, { delay: 5 }), raise({ type: "Y" }, { delay: 6 })] },
    },
  });
  const [, second] = run(machine, [init, send("GO")], 10);
  assert.equal(Object.entries(second?.state.timers ?? {}).map(([id, { due }]) => [id, due]), [
    ["raise:2:0", 15],
    ["raise:2:1", 16],
  ]);
});

test("step() cancels a delayed raise by its id", () => {
  const machine = createMachine({
    id: "m",
    options,
    on: {
      GO: { actions: raise({ type: "X" }, { id: "x", delay: 5 }) },
      STOP: { actions: cancel("x") },
    },
  });
  const [, , third] = run(machine, [init, send("GO"), send("STOP")]);
  assert.equal(third?.timersCleared, ["x"]);
});

test("step() keeps history over a restart of the process", () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "work",
    states: {
      work: {
        initial: "one",
        states: { one: { on: { NEXT: "two" } }, two: {}, hist: { type: "history" } },
        on: { PAUSE: "paused" },
      },
      paused: { on: { RESUME: "work.hist" } },
    },
  });
  const results = run(machine, [init, send("NEXT"), send("PAUSE"), send("RESUME")]);
  assert.equal(results[3]?.state.snapshot.value, { work: "two" });
});

test("step() records the edges of every microstep", () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { on: { GO: "b" } }, b: { always: "c" }, c: {} },
  });
  const [, second] = run(machine, [init, send("GO")]);
  assert.equal(second?.edges, [
    { source: "m.a", event: "GO", targets: ["m.b"] },
    { source: "m.b", event: "", targets: ["m.c"] },
  ]);
});

test("step() ends everything when the machine is done", () => {
  const machine = setup({ actors: { watch: fromCallback(() => {}) } }).createMachine({
    id: "m",
    options,
    initial: "a",
    invoke: { src: "watch", id: "watch" },
    output: { ok: true },
    states: { a: { on: { END: "z" }, after: { 5: "z" } }, z: { type: "final" } },
  });
  const [, second] = run(machine, [init, send("END")]);
  assert.is(second?.state.snapshot.status, "done");
  assert.equal(second?.state.snapshot.output, { ok: true });
  assert.equal(second?.state.invokes, {});
  assert.equal(second?.cancelled, ["a:1:0"]);
  assert.equal(second?.timersCleared, ["xstate.after.5.m.a"]);
});

test("step() answers ended for an event to an actor that is done", () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "z",
    states: { z: { type: "final" } },
  });
  const [first] = run(machine, [init]);
  for (const status of ["done", "error", "stopped"] as const) {
    const result = after(machine, first, send("X"), status);
    assert.is(reasonOf(result), "ended");
  }
});

for (
  const [what, value] of [
    ["a function", () => 1],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["NaN", Number.NaN],
    ["a bigint", 1n],
  ] as const
) {
  test(`step() answers threw where an assign puts ${what} into the context`, () => {
    const machine = createMachine({
      id: "m",
      options,
      context: {} as Record<string, unknown>,
      on: { GO: { actions: assign({ bad: () => value }) } },
    });
    const [first] = run(machine, [init]);
    const result = after(machine, first, send("GO"));
    assert.is(reasonOf(result), "threw");
    assert.match(JSON.stringify(result), /\\"bad\\"/);
  });
}

test("step() answers threw for a machine that turns in circles, within its iteration limit", () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { on: { GO: "b" } }, b: { always: "c" }, c: { always: "b" } },
  });
  const [first] = run(machine, [init]);
  const result = after(machine, first, send("GO"));
  assert.is(reasonOf(result), "threw");
});

test("step() answers threw for a spawn inside assign and for an inline action in enqueueActions", () => {
  const child = fromPromise(() => Promise.resolve());
  const machine = setup({ actors: { child } }).createMachine({
    id: "m",
    options,
    context: { ref: null as unknown },
    on: {
      SPAWN: { actions: assign({ ref: ({ spawn }) => (spawn("child", { id: "kid" }), null) }) },
      INLINE: { actions: enqueueActions(({ enqueue }) => enqueue(() => {})) },
    },
  });
  const [first] = run(machine, [init]);
  for (const type of ["SPAWN", "INLINE"]) {
    const result = after(machine, first, send(type));
    assert.is(reasonOf(result), "threw", type);
  }
});

test("step() is pure: the same input gives the same bytes", () => {
  const twice = [0, 1].map(() =>
    JSON.stringify(run(working, [init, send("AGAIN"), send("LEAVE")]))
  );
  assert.is(twice[0], twice[1]);
});

test("step() runs the live invokes of a resumed actor again under the next revision", () => {
  const [first] = run(working, [init]);
  const result = after(working, first, { kind: "restart", mode: "resume", input: null }, "crashed");
  if (result.outcome !== "applied") throw new Error(result.outcome);
  assert.is(result.state.invokes["job"]?.effect, "a:9:0");
  assert.equal(result.cancelled, ["a:1:0"]);
  assert.equal(result.timersSet, ["xstate.after.500.working.busy"]);
  assert.equal(result.effects, [{ kind: "invoke", invoke: "job", src: "job", input: { n: 7 } }]);
});

test("step() starts over at a restart from the initial transition, and cancels what lived", () => {
  const [, second] = run(working, [init, send("AGAIN")]);
  const result = after(
    working,
    second,
    { kind: "restart", mode: "initial", input: null },
    "crashed",
  );
  if (result.outcome !== "applied") throw new Error(result.outcome);
  assert.is(result.state.invokes["job"]?.effect, "a:9:0");
  assert.equal(result.cancelled, ["a:2:0"]);
});

test("step() stops an actor: no invoke and no timer is left", () => {
  const [, second] = run(working, [init, { kind: "stop" }]);
  assert.is(second?.state.snapshot.status, "stopped");
  assert.equal(second?.cancelled, ["a:1:0"]);
  assert.equal(second?.timersCleared, ["xstate.after.500.working.busy"]);
});
