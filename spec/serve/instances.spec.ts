import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import process from "node:process";
import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import type { InstanceCell, Isolation } from "../../runtime/serve/instance-cell.ts";
import { instanceDir } from "../../runtime/serve/instance-dir.ts";
import { Instances } from "../../runtime/serve/instances.ts";
import type { ServeEvent } from "../../runtime/serve/serve-event.ts";
import { SERVE_LIMITS } from "../../runtime/serve/serve-limits.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("Instances");

/** Instances on a fake isolation: a cell opens, cannot be journalled, and does not end while `stuck`. */
async function unmakeable() {
  const stateDir = await tempDir();
  const state = { stuck: true, ends: 0 };
  const events: ServeEvent[] = [];
  const cell: InstanceCell = {
    holder: process.pid,
    enter: () => ({ file: "true", args: [], env: {}, cwd: "/" }),
    announces: false,
    adopt: () => {},
    groupOf: () => undefined,
    ended: new Promise(() => {}),
    end: () => {
      state.ends++;
      return state.stuck ? Promise.reject(new Error("it does not end")) : Promise.resolve();
    },
  };
  const isolation: Isolation = {
    description: "fake",
    uids: undefined,
    open: async ({ dir }) => {
      await rm(dir, { recursive: true });
      return cell;
    },
  };
  const onEvent = (event: ServeEvent) => void events.push(event);
  const limits = { ...SERVE_LIMITS, instancesPerOwner: 1 };
  const instances = new Instances({ stateDir, isolation, limits, clock: systemClock, onEvent });
  const create = (name: string): Promise<number> =>
    instances.create("jo", name, "org").then(() => 200, ({ status }) => status);
  return { stateDir, state, events, instances, create };
}

test("close() ends again, and reports, what was left of an instance that was not made", async () => {
  const { state, instances, create } = await unmakeable();
  assert.is(await create("one"), 500);
  const left = await instances.close();
  assert.is(state.ends, 2);
  assert.is(left.length, 1);
  assert.match(left[0]?.reason ?? "", "it does not end");
  state.stuck = false;
  assert.equal(await instances.close(), []);
  assert.is(state.ends, 3);
});

test("create() of the same name first ends what was left, and frees its place", async () => {
  const { stateDir, state, events, create } = await unmakeable();
  assert.is(await create("one"), 500);
  const failed = events.flatMap((event) => event.kind === "failed" ? [event] : []);
  assert.equal(failed.map(({ what }) => /does not end|ENOENT/.exec(what)?.[0]), [
    "does not end",
    "ENOENT",
  ]);
  assert.equal([await create("one"), await create("two")], [409, 429]);
  state.stuck = false;
  assert.is(await create("one"), 500);
  assert.is(await create("two"), 500);
  assert.equal(events.filter(({ kind }) => kind !== "failed"), []);
  assert.not.ok(existsSync(instanceDir(stateDir, failed[0]?.instance ?? "")));
});
