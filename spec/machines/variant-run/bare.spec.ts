import * as assert from "uvu/assert";
import { createActor, fromPromise, toPromise } from "xstate";
import {
  type Lease,
  type LeaseInput,
  type Patched,
  provideVariantRun,
  type ReleaseParams,
  type SidecarWorkInput,
  type TestInput,
  type TestOutcome,
  variantRunMachine,
  type VariantRunPorts,
} from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { failure, outcome, steady } from "./play.ts";

const test = suite("variant-run/bare");

const input = { campaign: "c1", variant: "v1", retry: steady };

/** Ports that answer at once, and keep what they were called with. */
function fakePorts(answers: { test?: (input: TestInput) => TestOutcome; sync?: () => void } = {}) {
  const released: ReleaseParams[] = [];
  const ports: VariantRunPorts = {
    lease: fromPromise<Lease, LeaseInput>(({ input }) =>
      Promise.resolve({ sidecar: `s${input.attempt}` })
    ),
    sync: fromPromise<void, SidecarWorkInput>(() =>
      new Promise((resolve) => resolve(answers.sync?.()))
    ),
    patch: fromPromise<Patched, SidecarWorkInput>(() => Promise.resolve({ tree: "t1" })),
    test: fromPromise<TestOutcome, TestInput>(({ input }) =>
      Promise.resolve(answers.test?.(input) ?? outcome("killed"))
    ),
    release: (params) => void released.push(params),
  };
  return { ports, released };
}

/** Runs a bare actor to its end; a wait is over as soon as it begins. */
async function runToEnd(ports: VariantRunPorts, clock: ManualClock) {
  const actor = createActor(provideVariantRun(ports), { input, clock });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
  });
  actor.start();
  return await toPromise(actor);
}

test("a bare actor with provided ports comes to a verdict", async () => {
  const { ports, released } = fakePorts();
  const verdict = await runToEnd(ports, new ManualClock());
  assert.is(verdict.status, "killed");
  assert.is(verdict.sidecar, "s1");
  assert.equal(released, [
    { campaign: "c1", variant: "v1", generation: 1, attempt: 1, sidecar: "s1" },
  ]);
});

test("a bare actor waits as long as the policy says", async () => {
  let calls = 0;
  const { ports } = fakePorts({
    sync: () => {
      if (++calls < 3) throw failure("transient");
    },
  });
  const clock = new ManualClock();
  assert.is((await runToEnd(ports, clock)).status, "killed");
  assert.is(clock.now(), 100 + 200);
});

test("a bare actor confirms a timeout alone", async () => {
  const { ports, released } = fakePorts({
    test: ({ alone }) => outcome(alone ? "survived" : "timeout"),
  });
  const verdict = await runToEnd(ports, new ManualClock());
  assert.is(verdict.status, "survived");
  assert.is(verdict.attempts, 2);
  assert.equal(released.map(({ attempt }) => attempt), [1, 5]);
});

test("a bare actor scores a thrown Error as unexpected", async () => {
  const { ports } = fakePorts({
    sync: () => {
      throw new TypeError("x is not a function");
    },
  });
  const verdict = await runToEnd(ports, new ManualClock());
  assert.equal([verdict.status, verdict.reason], ["error", "unexpected"]);
});

test("CANCEL aborts the port that runs", async () => {
  const aborted = new Promise<string>((resolve) => {
    const { ports } = fakePorts();
    const sync = fromPromise<void, SidecarWorkInput>(({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          resolve("aborted");
          reject(failure("transient", "aborted"));
        });
        queueMicrotask(() => actor.send({ type: "CANCEL", reason: "interrupted" }));
      })
    );
    const actor = createActor(provideVariantRun({ ...ports, sync }), { input });
    actor.start();
  });
  assert.is(await aborted, "aborted");
});

test("a machine without ports says which one is missing in its history", async () => {
  const actor = createActor(variantRunMachine, { input }).start();
  assert.is((await toPromise(actor)).reason, "unexpected");
  assert.match(
    actor.getSnapshot().context.history[0]?.failure.message ?? "",
    /provideVariantRun\(\{ lease \}\)/,
  );
});
