import fc from "fast-check";
import * as assert from "uvu/assert";
import { createActor } from "xstate";
import type { TellParams } from "../../../machines/ports.ts";
import type { SupervisorInput, SupervisorStrategy } from "../../../machines/supervisor/events.ts";
import { supervisorMachine } from "../../../machines/supervisor/machine.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";

const test = suite("supervisor machine");

interface Told {
  readonly to: string;
  readonly type: string;
  /** When the event came that made the supervisor say it. */
  readonly at: number;
}

/** The machine under a bare `createActor`, with what it tells its children. */
function bare(input: Omit<SupervisorInput, "id" | "childrenRun">) {
  const told: Told[] = [];
  let now = 0;
  const machine = supervisorMachine.provide({
    actions: {
      tell: (_, { to, event }: TellParams) => void told.push({ to, type: event.type, at: now }),
    },
  });
  const actor = createActor(machine, { input: { id: "sup", childrenRun: true, ...input } });
  actor.start();
  return {
    actor,
    told,
    crash: (child: string, at: number) => {
      now = at;
      actor.send({ type: "CHILD_CRASHED", child, error: null, at });
    },
  };
}

test("restarts within the period never exceed the intensity, whatever crashes when", async () => {
  const ids = ["a", "b", "c"];
  const strategies: SupervisorStrategy[] = ["one_for_one", "rest_for_one", "one_for_all"];
  await check(
    fc.property(
      fc.constantFrom(...strategies),
      fc.nat(4),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.tuple(fc.constantFrom(...ids), fc.nat(30)), { maxLength: 40 }),
      (strategy, intensity, periodMs, crashes) => {
        const { actor, told, crash } = bare({
          strategy,
          intensity,
          periodMs,
          children: ids.map((id) => ({ id })),
        });
        let at = 0;
        const decisions: number[] = [];
        for (const [child, later] of crashes) {
          at += later;
          const before = told.length;
          crash(child, at);
          if (told.slice(before).some((each) => each.type === "sidecanary.restart")) {
            decisions.push(at);
          }
        }
        for (const start of decisions) {
          const within = decisions.filter((time) => time >= start && time <= start + periodMs);
          assert.ok(within.length <= intensity, `${within.length} from ${start}`);
        }
        // It gives up at the first crash that would be one too many, and at no other.
        let borne: number[] = [];
        let hasGivenUp = false;
        at = 0;
        for (const [, later] of crashes) {
          at += later;
          borne = borne.filter((time) => time >= at - periodMs);
          if (borne.length + 1 > intensity) hasGivenUp = true;
          if (hasGivenUp) break;
          borne.push(at);
        }
        assert.is(actor.getSnapshot().status, hasGivenUp ? "done" : "active");
      },
    ),
    { numRuns: 300 },
  );
});

test("a crash of a stranger, and of a child that is about to be restarted, asks for nothing", () => {
  const backoff = { baseMs: 3_600_000, factor: 1, capMs: 3_600_000, jitter: 0 };
  const { actor, told, crash } = bare({
    strategy: "one_for_all",
    backoff,
    children: [{ id: "a" }, { id: "b" }],
  });
  crash("stranger", 1);
  assert.equal(told, []);
  crash("a", 2);
  crash("b", 3);
  assert.equal(told.map((each) => `${each.to} ${each.type}`), ["b sidecanary.suspend"]);
  assert.is(actor.getSnapshot().value, "waiting");
  actor.stop();
});

test("a supervisor that begins anew runs its children from their beginning", () => {
  const { told } = bare({ children: [] });
  assert.equal(told, []);
  const again: string[] = [];
  createActor(
    supervisorMachine.provide({
      actions: { tell: (_, params: TellParams) => void again.push(JSON.stringify(params)) },
    }),
    { input: { id: "sup", children: [{ id: "a" }, { id: "b" }] } },
  ).start();
  assert.equal(
    again,
    ["a", "b"].map((to) =>
      JSON.stringify({ to, event: { type: "sidecanary.restart", mode: "initial" } })
    ),
  );
});

test("temporary siblings are stopped for good, children that ended well stay ended", () => {
  const { actor, told, crash } = bare({
    strategy: "one_for_all",
    intensity: 9,
    children: [{ id: "a" }, { id: "t", restart: "temporary" }, { id: "b" }],
  });
  actor.send({ type: "CHILD_DONE", child: "b", output: null, at: 1 });
  crash("a", 2);
  assert.equal(told.map((each) => `${each.to} ${each.type}`), [
    "t sidecanary.stop",
    "a sidecanary.restart",
  ]);
  told.length = 0;
  crash("a", 3);
  assert.equal(told.map((each) => `${each.to} ${each.type}`), ["a sidecanary.restart"]);
});
