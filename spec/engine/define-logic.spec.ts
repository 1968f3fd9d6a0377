import * as assert from "uvu/assert";
import {
  and,
  createMachine,
  fromCallback,
  fromPromise,
  log,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from "xstate";
import type { AnyStateMachine } from "xstate";
import { defineLogic } from "../../runtime/engine/logic.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";

const test = suite("defineLogic");

const options = { maxIterations: 50 };

/** A machine with `state` at the path `m.deep.spot`. */
function around(state: Record<string, unknown>, implementations = {}): AnyStateMachine {
  return createMachine(
    {
      id: "m",
      options,
      initial: "deep",
      states: { deep: { initial: "spot", states: { spot: state, other: {} } } },
    } as never,
    implementations as never,
  );
}

const refused: readonly (readonly [string, AnyStateMachine, RegExp])[] = [
  [
    "an inline invoke",
    around({ invoke: { src: fromPromise(() => Promise.resolve()) } }),
    /inline invoke/,
  ],
  ["a port that is not provided", around({ invoke: { src: "gone" } }), /port "gone"/],
  [
    "a machine as a child",
    around({ invoke: { src: "kid" } }, { actors: { kid: createMachine({}) } }),
    /machine "kid"/,
  ],
  [
    "onSnapshot",
    around({ invoke: { src: "p", onSnapshot: {} } }, { actors: { p: fromCallback(() => {}) } }),
    /onSnapshot/,
  ],
  [
    "a systemId",
    around({ invoke: { src: "p", systemId: "s" } }, { actors: { p: fromCallback(() => {}) } }),
    /systemId "s"/,
  ],
  ["an inline action", around({ entry: () => {} }), /inline action/],
  [
    "an inline action in a transition",
    around({ on: { X: { actions: function note() {} } } }),
    /"note"/,
  ],
  ["spawnChild()", around({ entry: spawnChild("p" as never) }), /spawnChild/],
  ["stopChild()", around({ exit: stopChild("p") }), /stopChild/],
  ["sendTo()", around({ entry: sendTo("p", { type: "X" }) }), /sendTo/],
  ["sendParent()", around({ entry: sendParent({ type: "X" }) }), /sendTo\(\) or sendParent/],
  ["log()", around({ entry: log("hello") }), /log\(\)/],
  [
    "a named action that is a spawn",
    around({ always: { target: "other", actions: "make" } }, {
      actions: { make: spawnChild("p" as never) },
    }),
    /spawnChild/,
  ],
  ["a delay that is not provided", around({ after: { SOON: "other" } }), /delay "SOON"/],
  [
    "a delayed raise whose delay is not provided",
    around({ entry: raise({ type: "X" }, { delay: "SOON" as never }) }),
    /delay "SOON"/,
  ],
  [
    "a guard that is not provided",
    around({ on: { X: { guard: "no", target: "other" } } }),
    /guard "no"/,
  ],
  [
    "a guard inside not() and and()",
    around({ on: { X: { guard: and([not("no" as never)]), target: "other" } } }),
    /guard "no"/,
  ],
];

for (const [what, machine, words] of refused) {
  test(`defineLogic() refuses ${what}, naming the node`, () => {
    try {
      defineLogic(machine);
      assert.unreachable();
    } catch (error) {
      if (!isSidecanaryError(error, "machine-refused")) throw error;
      assert.is(error.details.node, "m.deep.spot");
      assert.match(error.message, words);
      assert.match(error.message, /"m\.deep\.spot"/);
    }
  });
}

test("defineLogic() refuses a machine without an iteration limit, naming the root", () => {
  try {
    defineLogic(createMachine({ id: "free" }));
    assert.unreachable();
  } catch (error) {
    if (!isSidecanaryError(error, "machine-refused")) throw error;
    assert.is(error.details.node, "free");
    assert.match(error.message, /maxIterations/);
  }
});

test("defineLogic() refuses a function in the context", () => {
  try {
    defineLogic(createMachine({ id: "m", options, context: { deep: { f: () => 1 } } }));
    assert.unreachable();
  } catch (error) {
    if (!isSidecanaryError(error, "machine-refused")) throw error;
    assert.match(error.message, /"f"/);
  }
});

test("defineLogic() takes everything that the engine runs", () => {
  const machine = setup({
    actors: { p: fromPromise(() => Promise.resolve()), c: fromCallback(() => {}) },
    actions: { note: () => {} },
    guards: { yes: () => true },
    delays: { SOON: () => 5 },
  }).createMachine({
    id: "all",
    options,
    context: ({ input }) => ({ input }),
    type: "parallel",
    states: {
      a: {
        initial: "x",
        states: {
          x: {
            invoke: [{ src: "p", id: "p" }, { src: "c" }],
            after: { SOON: "y", 10: { guard: not("yes"), target: "y" } },
          },
          y: { always: { guard: ({ context }) => context === null, target: "x" } },
          h: { type: "history", history: "deep" },
        },
      },
      b: { entry: ["note", { type: "tell", params: { to: "x", event: { type: "Y" } } } as never] },
    },
  });
  const logic = defineLogic(machine);
  assert.is(logic.name, "all");
  assert.equal([...logic.invokeIds], ["p", "1.all.a.x"]);
});

test("defineLogic() hashes the structure: a changed target or version changes it, a bundle does not", () => {
  const make = (target: string) =>
    createMachine({
      id: "m",
      options,
      initial: "a",
      states: { a: { on: { X: { guard: () => true, target } } }, b: {}, c: {} },
    });
  assert.is(defineLogic(make("b")).hash, defineLogic(make("b")).hash);
  assert.is.not(defineLogic(make("b")).hash, defineLogic(make("c")).hash);
  assert.is.not(defineLogic(make("b")).hash, defineLogic(make("b"), { version: "2" }).hash);
  assert.is.not(defineLogic(make("b")).hash, defineLogic(make("b"), { name: "other" }).hash);
});
