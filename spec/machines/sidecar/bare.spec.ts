import * as assert from "uvu/assert";
import { createActor, type EventObject, fromCallback, fromPromise, toPromise } from "xstate";
import {
  type AttachInput,
  type Booted,
  type BootInput,
  type DestroyInput,
  type DisconnectedEvent,
  type LostEvent,
  provideSidecar,
  type SyncInput,
  type WatchInput,
} from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { failure, steady } from "./play.ts";

const test = suite("sidecar/bare");

test("a bare actor boots, is lost, boots anew, attaches again and is destroyed", async () => {
  const log: string[] = [];
  const clock = new ManualClock();
  const machine = provideSidecar({
    boot: fromPromise<Booted, BootInput>(({ input }) => {
      log.push(input.fresh ? `boot ${input.attempt} anew` : `boot ${input.attempt}`);
      return Promise.resolve({ endpoint: input.attempt });
    }),
    sync: fromPromise<void, SyncInput>(async ({ input }) => {
      await Promise.resolve(log.push(`sync ${input.endpoint}`));
    }),
    watch: fromCallback<EventObject, WatchInput>(({ input, sendBack }) => {
      log.push(`watch ${input.endpoint}`);
      if (input.endpoint === 1) {
        queueMicrotask(() =>
          sendBack({ type: "LOST", failure: failure("sidecar-lost") } satisfies LostEvent)
        );
      } else {
        queueMicrotask(() =>
          sendBack(
            { type: "DISCONNECTED", failure: failure("transient") } satisfies DisconnectedEvent,
          )
        );
      }
      return () => void log.push(`unwatch ${input.endpoint}`);
    }),
    attach: fromPromise<void, AttachInput>(async ({ input }) => {
      await Promise.resolve(log.push(`attach ${input.endpoint} as ${input.attempt}`));
      if (input.attempt === 5) throw failure("transient");
    }),
    destroy: fromPromise<void, DestroyInput>(async ({ input }) => {
      await Promise.resolve(log.push(`destroy ${input.endpoint}`));
    }),
  });
  const actor = createActor(machine, {
    input: { sidecar: "sc-1", spec: null, retry: steady, reattachRetry: steady },
    clock,
  });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
    // Attached again, after the one failure.
    if (snapshot.matches({ up: { connection: "attached" } }) && snapshot.context.attempt === 6) {
      queueMicrotask(() => actor.send({ type: "DRAIN" }));
    }
  });
  actor.start();
  const output = await toPromise(actor);
  assert.is(output.destroyed, true);
  assert.is(clock.now(), 100 + 100);
  assert.equal(log, [
    "boot 1",
    "sync 1",
    "watch 1",
    "unwatch 1",
    "boot 3 anew",
    "sync 3",
    "watch 3",
    "attach 3 as 5",
    "attach 3 as 6",
    "unwatch 3",
    "destroy 3",
  ]);
});
