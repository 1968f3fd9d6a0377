import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import * as assert from "uvu/assert";
import { VirtualClock } from "../../runtime/engine/virtual-clock.ts";
import { isSidecanaryError, SidecanaryError } from "../../runtime/errors.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import { STORE_PATIENCE_MS, StoreWatch } from "../../runtime/variants/store-watch.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("store-watch");

async function watched() {
  const clock = new VirtualClock();
  const store = await openSqliteStore({ path: join(await tempDir(), "campaigns.db"), clock });
  return { clock, store, watch: new StoreWatch({ store, clock, folder: "/state/of/it" }) };
}

function failed(details: object): SidecanaryError {
  const cause = Object.assign(new Error("native"), details);
  return new SidecanaryError("store-failed", "Cannot use it: native", { store: "s" }, cause);
}

test("note() gives up a full disk at once, and names the folder and the way out", async () => {
  for (const details of [{ errcode: 13 }, { rawCode: 13 }]) {
    const { store, watch } = await watched();
    watch.note(failed(details));
    const { reason } = watch.signal;
    assert.ok(isSidecanaryError(reason, "store-failed"));
    assert.match(reason.message, 'the disk of the state folder "/state/of/it" is full');
    assert.match(reason.message, "XDG_STATE_HOME");
    await store.close();
  }
});

test("note() forgets a failure of a store that can be written", async () => {
  const { clock, store, watch } = await watched();
  watch.note(failed({ errcode: 10 }));
  while (await store.record("campaigns", "probe") === undefined) await setImmediate();
  await clock.advance(2 * STORE_PATIENCE_MS);
  assert.is(watch.signal.aborted, false);
  watch.close();
  await store.close();
});

test("note() gives up a store that cannot be written for STORE_PATIENCE_MS", async () => {
  const { clock, store, watch } = await watched();
  await store.close();
  watch.note(failed({ errcode: 10 }));
  const began = clock.now();
  while (!watch.signal.aborted) {
    await setImmediate();
    await clock.runNext();
  }
  assert.is(clock.now() - began, STORE_PATIENCE_MS);
  assert.ok(isSidecanaryError(watch.signal.reason, "store-failed"));
  assert.match(String(watch.signal.reason), "/state/of/it");
});
