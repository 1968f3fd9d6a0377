import * as assert from "uvu/assert";
import { type EventObject, fromCallback, fromPromise } from "xstate";
import {
  type AttachInput,
  type Booted,
  type BootInput,
  type DestroyInput,
  type DisconnectedEvent,
  type Failure,
  provideSidecar,
  type SyncInput,
  type WatchInput,
} from "../../../machines/mod.ts";
import { openEngine, VirtualClock } from "../../../runtime/engine/mod.ts";
import type { Json } from "../../../runtime/json.ts";
import { openMemoryStore } from "../../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { suite } from "../../harness.ts";
import { failure } from "./play.ts";

const test = suite("sidecar/durable");

/** An engine over `store` whose sidecar's connection is in the hands of the test. */
async function openSidecarEngine(store: Store, clock: VirtualClock) {
  const sent: ((event: DisconnectedEvent) => void)[] = [];
  const dials: ((failed?: Failure) => void)[] = [];
  const engine = await openEngine({ store, clock });
  engine.register(provideSidecar({
    boot: fromPromise<Booted, BootInput>(() => Promise.resolve({ endpoint: 22 })),
    sync: fromPromise<void, SyncInput>(() => Promise.resolve()),
    watch: fromCallback<EventObject, WatchInput>(({ sendBack }) => void sent.push(sendBack)),
    attach: fromPromise<void, AttachInput>(() =>
      new Promise((resolve, reject) => {
        dials.push((failed) => failed === undefined ? resolve() : reject(failed));
      })
    ),
    destroy: fromPromise<void, DestroyInput>(() => Promise.resolve()),
  }));
  const connection = (wanted: Json) =>
    engine.waitFor("sc-1", ({ value }) => {
      const up = (value as { readonly up?: { readonly connection?: Json } }).up;
      return JSON.stringify(up?.connection) === JSON.stringify(wanted);
    });
  return { engine, sent, dials, connection };
}

test("a lease outlives a lost connection and the process that had it, in the engine", async () => {
  const store = openMemoryStore();
  const clock = new VirtualClock();
  const reset = failure("transient", "reset");
  const first = await openSidecarEngine(store, clock);
  await first.engine.start("sc-1", "sidecar", { input: { sidecar: "sc-1", spec: null } });
  await first.connection("attached");
  await first.engine.deliver("sc-1", { type: "LEASE", by: "run-1" }, { eventId: "lease-1" });
  await first.engine.idle();
  first.sent[0]?.({ type: "DISCONNECTED", failure: { ...reset } });
  await first.connection({ reattaching: "attempting" });
  await first.engine.idle();
  assert.is(first.dials.length, 1);
  await first.engine.close();

  const second = await openSidecarEngine(store, clock);
  try {
    await second.engine.idle();
    assert.is(second.sent.length, 1, "watch runs again");
    assert.is(second.dials.length, 1, "attach runs again");
    first.dials[0]?.(failure("permanent"));
    second.dials[0]?.(reset);
    await second.connection({ reattaching: "waiting" });
    await clock.runNext();
    await second.connection({ reattaching: "attempting" });
    await second.engine.idle();
    second.dials[1]?.();
    await second.connection("attached");
    const { context, value } = await second.engine.actor("sc-1") ?? {};
    assert.equal(value, { up: { lease: "leased", connection: "attached" } });
    assert.is((context as { readonly lease?: Json }).lease, "run-1");
    assert.is(second.sent.length, 1, "one watch outlives reattaching");
  } finally {
    await second.engine.close();
  }
});
