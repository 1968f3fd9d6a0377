import { rm } from "node:fs/promises";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assign, createActor, setup } from "xstate";
import { openEngine } from "../../runtime/engine/mod.ts";
import { openMemoryStore, openSqliteStore } from "../../runtime/store/mod.ts";
import { MIGRATIONS } from "../../runtime/store/sqlite/schema.ts";
import { findDriver } from "../../runtime/store/sqlite/driver.ts";
import type { Store } from "../../runtime/store/store.ts";
import { type BenchRow, median } from "./row.ts";

const machine = setup({
  types: { context: {} as { count: number; label: string } },
}).createMachine({
  id: "toggle",
  options: { maxIterations: 10 },
  context: { count: 0, label: "what a small context weighs" },
  initial: "off",
  states: {
    off: {
      on: {
        FLIP: { target: "on", actions: assign({ count: ({ context }) => context.count + 1 }) },
      },
    },
    on: { on: { FLIP: "off" } },
  },
});

/** How many events are under way at once, and so how many transitions go into one commit. */
const inFlight = 64;

/** Durable transitions per second, beside bare xstate and beside SQLite writing the same rows. */
export async function benchTransitions(smoke: boolean): Promise<BenchRow[]> {
  const events = smoke ? 640 : 12_800;
  const rounds = smoke ? 1 : 5;
  const bare: number[] = [], memory: number[] = [], sqlite: number[] = [], loop: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(bareActors(events));
    memory.push(await engine(openMemoryStore(), events));
    const dir = mkdtempSync(join(tmpdir(), "sidecanary-bench-"));
    try {
      const store = await openSqliteStore({ path: join(dir, "engine.db") });
      sqlite.push(await engine(store, events));
      loop.push(await bareSqlite(store, join(dir, "bare.db"), events));
      await store.close();
    } finally {
      await rm(dir, { recursive: true });
    }
  }
  const ratio = median(sqlite.map((rate, round) => rate / (loop[round] ?? Number.NaN)));
  return [
    { what: "bare xstate actor.send", figure: perSecond(median(bare)) },
    { what: "engine on the memory store", figure: perSecond(median(memory)) },
    {
      what: `engine on SQLite, FULL, ${inFlight} in flight`,
      figure: `${perSecond(median(sqlite))} = ${ratio.toFixed(2)} × the bare loop`,
      target: "≥ 0.3 × a bare SQLite loop of the same rows in the same grouping",
      met: ratio >= 0.3,
    },
    { what: "bare SQLite loop of the same rows, FULL", figure: perSecond(median(loop)) },
  ];
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString("en")} /s`;
}

function bareActors(events: number): number {
  const actors = Array.from({ length: inFlight }, () => createActor(machine).start());
  const start = performance.now();
  for (let n = 0; n < events; n++) actors[n % inFlight]?.send({ type: "FLIP" });
  return events / (performance.now() - start) * 1000;
}

async function engine(store: Store, events: number): Promise<number> {
  const engine = await openEngine({ store });
  engine.register(machine);
  const ids = Array.from({ length: inFlight }, (_, n) => `toggle-${n}`);
  await Promise.all(ids.map((id) => engine.start(id, "toggle")));
  const start = performance.now();
  for (let n = 0; n < events; n += inFlight) {
    await Promise.all(ids.map((id) => engine.deliver(id, { type: "FLIP" }, { eventId: `e${n}` })));
  }
  const ms = performance.now() - start;
  await engine.close();
  return events / ms * 1000;
}

/** Writes the rows that the engine wrote, with prepared statements and the engine's own grouping. */
async function bareSqlite(from: Store, path: string, events: number): Promise<number> {
  const open = await findDriver();
  if (open === undefined) throw new Error("no SQLite here");
  const db = open(path);
  db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  db.exec(MIGRATIONS.join(";"));
  const journal = db.prepare(
    "INSERT INTO journal (actor, revision, event_id, event, cause, at, edges, change) VALUES (?,?,?,?,?,?,?,?)",
  );
  const actor = db.prepare("UPDATE actor SET revision=?, state=?, updated_at=? WHERE id=?");
  const insert = db.prepare(
    "INSERT INTO actor VALUES (?,'toggle','h',0,1,1,'active',NULL,'',0,0,0,'')",
  );
  const rows = await from.feed(0, events + inFlight);
  const states = new Map((await from.actors({ limit: 1000 })).map((row) => [row.id, row.state]));
  for (const id of states.keys()) insert.run(id);
  const flips = rows.slice(inFlight);
  const start = performance.now();
  for (let n = 0; n < flips.length; n += inFlight) {
    db.exec("BEGIN IMMEDIATE");
    for (const row of flips.slice(n, n + inFlight)) {
      journal.run(
        row.actor,
        row.revision,
        row.eventId,
        row.event,
        row.cause,
        row.at,
        row.edges,
        row.change,
      );
      actor.run(row.revision, states.get(row.actor) ?? "", row.at, row.actor);
    }
    db.exec("COMMIT");
  }
  const ms = performance.now() - start;
  db.close();
  return flips.length / ms * 1000;
}
