import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { FaultPoint } from "../../runtime/engine/options.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import { suite } from "../harness.ts";
import { runScript } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("crash");

/** Each with the hits of it at which the process dies. */
const points: readonly (readonly [FaultPoint, readonly number[]])[] = [
  ["commit.before", [1, 4, 9]],
  ["commit.after", [1, 4, 9]],
  ["effect.before", [1, 3]],
  ["effect.after", [1, 3]],
  ["settle.before", [1, 2]],
  ["settle.after", [1, 2]],
  ["inbox.before", [1, 3]],
  ["claim.before", [2]],
  ["claim.after", [2]],
  ["timer.before", [1]],
];

for (const [point, hits] of points) {
  for (const hit of hits) {
    test(
      `SIGKILL at ${point}, hit ${hit}: nothing is lost and nothing is applied twice`,
      async () => {
        const dir = await tempDir();
        const path = join(dir, "store.db");
        const received = join(dir, "received");
        const child = "kit/children/engine-worker.ts";
        const first = await runScript(child, [path, received, point, String(hit)]);
        assert.is(first.signal, "SIGKILL", first.stderr);
        const second = await runScript(child, [path, received, ""]);
        assert.is(second.code, 0, second.stderr);
        await checkStore(path, await linesOf(received));
      },
      { timeoutMs: 60_000 },
    );
  }
}

async function checkStore(path: string, lines: readonly string[]): Promise<void> {
  const store = await openSqliteStore({ path });
  try {
    const [job, sink] = await Promise.all([store.read("job"), store.read("sink")]);
    assert.is(job?.status, "done");
    assert.equal(contextOf(job?.state), { n: 5, receipt: "receipt" });
    assert.equal(contextOf(sink?.state), { n: 5 });
    const journal = await store.journal("job", 1, 100);
    assert.equal(journal.map((row) => row.revision), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const ids = journal.map((row) => row.eventId);
    assert.equal(ids.slice(0, 7), [
      "init",
      "add-0",
      "add-1",
      "add-2",
      "add-3",
      "add-4",
      "charge",
    ]);
    assert.equal(ids.slice(7), ["job:7:0:done", "timer:xstate.after.30.job.cooling:8"]);
    assert.equal(await store.timers(null, 10), []);
    assert.equal(await store.inbox("sink", 10), []);
    assert.equal(await store.deadLetters(null, 10), []);
    const outbox = await store.outbox("job", 100);
    assert.ok(outbox.every((row) => row.state === "done"), JSON.stringify(outbox));
    // Every effect was received at least once, and a repetition came with the same key.
    const expected = outbox.map((row) =>
      `${
        row.kind === "invoke" ? "charge" : row.kind === "announce" ? "announce" : "note"
      } ${row.id}`
    );
    assert.equal([...new Set(lines)].sort(), expected.sort());
    assert.is(expected.length, 11);
  } finally {
    await store.close();
  }
}

function contextOf(state: string | undefined): unknown {
  return (JSON.parse(state ?? "null") as { snapshot: { context: unknown } }).snapshot.context;
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
}
