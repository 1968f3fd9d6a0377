import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setup } from "xstate";
import { openEngine } from "../../runtime/engine/mod.ts";
import { openMemoryStore, openSqliteStore } from "../../runtime/store/mod.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { BenchRow } from "./row.ts";

const machine = setup({}).createMachine({
  id: "idle",
  options: { maxIterations: 10 },
  context: { owner: "somebody", attempts: 0 },
  initial: "waiting",
  states: { waiting: { on: { GO: "gone" } }, gone: {} },
});

/** What an actor that nothing happens to costs in this process's memory. */
export async function benchIdleActors(smoke: boolean): Promise<BenchRow[]> {
  const count = smoke ? 2_000 : 100_000;
  const dir = mkdtempSync(join(tmpdir(), "sidecanary-bench-"));
  try {
    const path = join(dir, "idle.db");
    const sqlite = await bytesPerActor(
      await openSqliteStore({ path, synchronous: "normal" }),
      count,
    );
    const memory = await bytesPerActor(openMemoryStore(), count);
    return [
      {
        what: `idle actor among ${count.toLocaleString("en")}, SQLite store`,
        figure: `${Math.round(sqlite)} B of heap`,
        target: "≤ 1,024 B",
        met: sqlite <= 1024,
      },
      {
        what: `the same, memory store (rows and journal are in memory too)`,
        figure: `${Math.round(memory)} B of heap`,
      },
    ];
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function bytesPerActor(store: Store, count: number): Promise<number> {
  const engine = await openEngine({ store });
  engine.register(machine);
  const before = heap();
  for (let n = 0; n < count; n += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, k) => engine.start(`idle-${n + k}`, "idle")),
    );
  }
  const after = heap();
  await engine.close();
  await store.close();
  return (after - before) / count;
}

/** Bytes of the heap in use, after a collection where the runtime lets us ask for one. */
function heap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}
