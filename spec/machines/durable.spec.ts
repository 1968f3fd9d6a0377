import * as assert from "uvu/assert";
import {
  type AnyStateMachine,
  createActor,
  type EventObject,
  fromCallback,
  fromPromise,
  toPromise,
} from "xstate";
import {
  type AttachInput,
  type Baseline,
  type Booted,
  type BootInput,
  type CampaignWorkInput,
  type Closed,
  type CloseInput,
  type DestroyInput,
  type Lease,
  type LeaseInput,
  type Patched,
  type PoolInput,
  type Preflight,
  provideCampaign,
  provideSidecar,
  provideVariantRun,
  type ReleaseParams,
  type SidecarWorkInput,
  type SyncInput,
  type TestInput,
  type TestOutcome,
  type WatchInput,
} from "../../machines/mod.ts";
import { openEngine, VirtualClock } from "../../runtime/engine/mod.ts";
import type { Json } from "../../runtime/json.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { failure, outcome, steady } from "./variant-run/play.ts";

const test = suite("machines/durable");

/** What a machine comes to under the engine, and how much time went by until `isSettled` too. */
async function runDurably(
  machine: AnyStateMachine,
  input: Json,
  isSettled: () => boolean = () => true,
): Promise<[Json, number]> {
  const clock = new VirtualClock();
  const engine = await openEngine({ store: openMemoryStore(), clock });
  try {
    const { name } = engine.register(machine);
    await engine.start("a", name, { input });
    let end: [Json, number] | undefined;
    const ended = engine.waitFor("a", ({ status }) => status !== "active")
      .then(({ output }) => end = [output, clock.now()]);
    for (;;) {
      await Promise.race([ended, engine.idle()]);
      if (end !== undefined && isSettled()) return end;
      await clock.runNext();
    }
  } finally {
    await engine.close();
  }
}

/** What the same machine comes to under a bare `createActor`. */
async function runBare(machine: AnyStateMachine, input: Json): Promise<[Json, number]> {
  const clock = new ManualClock();
  const actor = createActor(machine, { input, clock });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
  });
  actor.start();
  return [await toPromise(actor) as Json, clock.now()];
}

/** A run whose first sync fails in passing, whose second loses the sidecar, and that times out. */
function troubledRun(release: (params: ReleaseParams) => void | Promise<void>) {
  return provideVariantRun({
    lease: fromPromise<Lease, LeaseInput>(({ input }) =>
      Promise.resolve({ sidecar: `s${input.attempt}` })
    ),
    sync: fromPromise<void, SidecarWorkInput>(({ input }) => {
      if (input.attempt === 2) return Promise.reject(failure("transient"));
      if (input.attempt === 3) return Promise.reject(failure("sidecar-lost"));
      return Promise.resolve();
    }),
    patch: fromPromise<Patched, SidecarWorkInput>(() => Promise.resolve({ tree: "t1" })),
    test: fromPromise<TestOutcome, TestInput>(({ input }) =>
      Promise.resolve(outcome(input.alone ? "killed" : "timeout"))
    ),
    release,
  });
}

test("a variant run comes to the same verdict in the engine and as a bare actor", async () => {
  const input = { campaign: "c1", variant: "v1", retry: { ...steady } };
  const released = { durable: [] as ReleaseParams[], bare: [] as ReleaseParams[] };
  const durable = await runDurably(
    troubledRun((params) => void released.durable.push(params)),
    input,
    () => released.durable.length === 3,
  );
  const bare = await runBare(troubledRun((params) => void released.bare.push(params)), input);
  assert.equal(durable, bare);
  assert.equal(durable[0], {
    status: "killed",
    reason: null,
    command: "npm test",
    exitCode: 1,
    durationMs: 12,
    sidecar: "s8",
    attempts: 2,
    losses: 1,
  });
  assert.equal(released.durable, released.bare);
  assert.equal(released.durable.map(({ attempt }) => attempt), [1, 4, 8]);
});

test("a run with an Error from a port is scored alike in the engine and as a bare actor", async () => {
  const machine = troubledRun(() => {}).provide({
    actors: {
      patch: fromPromise<Patched, SidecarWorkInput>(() => Promise.reject(new TypeError("boom"))),
    },
  });
  const input = { campaign: "c1", variant: "v1", retry: { ...steady } };
  const durable = await runDurably(machine, input);
  assert.equal(durable, await runBare(machine, input));
  assert.is((durable[0] as { reason?: Json }).reason, "unexpected");
});

test("a release that is rejected comes again, after later leases, with its own attempt", async () => {
  const attempts: number[] = [];
  const machine = troubledRun(({ attempt }) => {
    attempts.push(attempt);
    return attempts.length === 1 ? Promise.reject(new Error("busy")) : Promise.resolve();
  });
  const input = { campaign: "c1", variant: "v1", retry: { ...steady } };
  const [output] = await runDurably(machine, input, () => attempts.length === 4);
  assert.is((output as { status?: Json }).status, "killed");
  assert.equal(attempts, [1, 4, 8, 1]);
});

test("a sidecar that is lost too often ends alike in the engine and as a bare actor", async () => {
  const machine = provideSidecar({
    boot: fromPromise<Booted, BootInput>(({ input }) =>
      Promise.resolve({ endpoint: input.attempt })
    ),
    sync: fromPromise<void, SyncInput>(() => Promise.resolve()),
    watch: fromCallback<EventObject, WatchInput>(({ sendBack }) => {
      queueMicrotask(() => sendBack({ type: "LOST", failure: failure("sidecar-lost") }));
    }),
    attach: fromPromise<void, AttachInput>(() => Promise.resolve()),
    destroy: fromPromise<void, DestroyInput>(() => Promise.resolve()),
  });
  const input = { sidecar: "sc-1", spec: null, retry: { ...steady }, maxRestarts: 2 };
  const durable = await runDurably(machine, input);
  assert.equal(durable, await runBare(machine, input));
  assert.equal((durable[0] as { reason?: Json }).reason, "sidecar-lost");
  assert.is(durable[1], 100 + 200);
});

test("a sidecar whose connection breaks ends alike in the engine and as a bare actor", async () => {
  const machine = () => {
    const log: string[] = [];
    const note = (src: string, attempt: number) => log.push(`${src} ${attempt}`);
    return {
      log,
      machine: provideSidecar({
        boot: fromPromise<Booted, BootInput>(({ input }) => {
          note(input.fresh ? "boot anew" : "boot", input.attempt);
          return Promise.resolve({ endpoint: input.attempt });
        }),
        sync: fromPromise<void, SyncInput>(({ input }) => {
          note("sync", input.attempt);
          return input.attempt === 2 ? Promise.reject(failure("transient")) : Promise.resolve();
        }),
        watch: fromCallback<EventObject, WatchInput>(({ sendBack }) => {
          queueMicrotask(() =>
            sendBack({ type: "DISCONNECTED", failure: failure("transient", "reset") })
          );
        }),
        attach: fromPromise<void, AttachInput>(({ input }) => {
          note("attach", input.attempt);
          return Promise.reject(failure(input.attempt === 9 ? "permanent" : "transient"));
        }),
        destroy: fromPromise<void, DestroyInput>(({ input }) => {
          note("destroy", input.attempt);
          return Promise.resolve();
        }),
      }),
    };
  };
  const policies = { retry: { ...steady }, syncRetry: { ...steady }, reattachRetry: { ...steady } };
  const input = { sidecar: "sc-1", spec: null, ...policies, maxRestarts: 1 };
  const [durable, bare] = [machine(), machine()];
  const end = await runDurably(durable.machine, input);
  assert.equal(end, await runBare(bare.machine, input));
  assert.equal(end, [{
    sidecar: "sc-1",
    destroyed: true,
    reason: "sidecar-lost",
    cause: failure("sidecar-lost"),
    failure: null,
  }, 100 + (100 + 200) + 100]);
  assert.equal(durable.log, bare.log);
  assert.equal(durable.log, [
    "boot 1",
    "sync 2",
    "sync 3",
    "attach 4",
    "attach 5",
    "attach 6",
    "boot anew 7",
    "sync 8",
    "attach 9",
    "destroy 10",
  ]);
});

test("a campaign counts alike in the engine and as a bare actor", async () => {
  const rejected = { killed: 0, survived: 0, timeout: 0, error: 1, skipped: 0 };
  const machine = provideCampaign({
    preflight: fromPromise<Preflight, CampaignWorkInput>(() =>
      Promise.resolve({ planned: 1, rejected })
    ),
    baseline: fromPromise<Baseline, CampaignWorkInput>(({ input }) => {
      if (input.attempt === 2) return Promise.reject(failure("transient"));
      return Promise.resolve({ timeoutMs: { "npm test": 4_000 }, durationMs: 900 });
    }),
    pool: fromCallback<EventObject, PoolInput>(({ sendBack }) => {
      queueMicrotask(() => sendBack({ type: "VERDICT", variant: "v1", status: "killed" }));
      queueMicrotask(() => sendBack({ type: "POOL_DONE" }));
    }),
    close: fromPromise<Closed, CloseInput>(() => Promise.resolve({ void: false, reason: null })),
  });
  const input = { campaign: "c1", retry: { ...steady } };
  const durable = await runDurably(machine, input);
  assert.equal(durable, await runBare(machine, input));
  assert.equal(durable[0], {
    end: "complete",
    counts: { planned: 1, ...rejected, killed: 1, revoked: 0 },
    reason: null,
  });
});
