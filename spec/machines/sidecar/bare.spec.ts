import * as assert from "uvu/assert";
import { createActor, type EventObject, fromCallback, fromPromise, toPromise } from "xstate";
import {
  type Booted,
  type BootInput,
  type DestroyInput,
  type LostEvent,
  provideSidecar,
  type WatchInput,
} from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { failure, steady } from "./play.ts";

const test = suite("sidecar/bare");

test("a bare actor boots, is lost, boots again and is destroyed", async () => {
  const log: string[] = [];
  const clock = new ManualClock();
  const machine = provideSidecar({
    boot: fromPromise<Booted, BootInput>(({ input }) => {
      log.push(`boot ${input.attempt}`);
      return Promise.resolve({ endpoint: input.attempt });
    }),
    watch: fromCallback<EventObject, WatchInput>(({ input, sendBack }) => {
      log.push(`watch ${input.endpoint}`);
      if (input.endpoint === 1) {
        queueMicrotask(() =>
          sendBack({ type: "LOST", failure: failure("sidecar-lost") } satisfies LostEvent)
        );
      }
      return () => void log.push(`unwatch ${input.endpoint}`);
    }),
    destroy: fromPromise<void, DestroyInput>(async ({ input }) => {
      await Promise.resolve(log.push(`destroy ${input.endpoint}`));
    }),
  });
  const actor = createActor(machine, {
    input: { sidecar: "sc-1", spec: null, retry: steady },
    clock,
  });
  actor.subscribe((snapshot) => {
    if (snapshot.hasTag("transient")) queueMicrotask(() => clock.next());
    if (snapshot.matches({ up: "ready" }) && snapshot.context.endpoint === 2) {
      queueMicrotask(() => actor.send({ type: "DRAIN" }));
    }
  });
  actor.start();
  const output = await toPromise(actor);
  assert.is(output.destroyed, true);
  assert.is(clock.now(), 100);
  assert.equal(log, [
    "boot 1",
    "watch 1",
    "unwatch 1",
    "boot 2",
    "watch 2",
    "unwatch 2",
    "destroy 2",
  ]);
});
