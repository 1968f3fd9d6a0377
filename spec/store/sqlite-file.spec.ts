import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { runScript, spawnScript } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { type AnySidecanaryError, isSidecanaryError } from "../../runtime/errors.ts";
import { type Driver, findDriver } from "../../runtime/store/sqlite/driver.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import { commitOf, committed, dump, letter, tell, timer, transition } from "./builders.ts";

const test = suite("sqlite file");

test("openSqliteStore() makes the folder and a file that only its user can read", async () => {
  const path = join(await tempDir(), "deep", "er", "store.db");
  const store = await openSqliteStore({ path });
  await committed(store, commitOf([transition("a", 1)]));
  assert.is(store.name, `sqlite:${path}`);
  for (const name of [path, `${path}-wal`]) assert.is((await stat(name)).mode & 0o777, 0o600);
  await store.close();
});

test("openSqliteStore() finds everything again that was committed", async () => {
  const path = join(await tempDir(), "store.db");
  const first = await openSqliteStore({ path });
  const more = { outbox: [{}, {}], tells: [tell("b", "t")], timersSet: [timer("a", "x", 5)] };
  await committed(
    first,
    commitOf([transition("a", 1, more), transition("b", 1)], {
      deadLetters: [letter("a", "d")],
      records: [{ collection: "c", key: "k", value: "1" }],
      lease: { owner: "o", until: 90 },
    }),
  );
  await first.putMachine({ hash: "h1", name: "m", definition: "{}", at: 1 });
  const before = await dump(first, ["a", "b"]);
  await first.close();
  const second = await openSqliteStore({ path });
  assert.equal(await dump(second, ["a", "b"]), before);
  assert.is((await second.machine("h1"))!.name, "m");
  await second.close();
});

test("openSqliteStore() twice on one file: each sees what the other commits", async () => {
  const path = join(await tempDir(), "store.db");
  const [one, two] = await Promise.all([openSqliteStore({ path }), openSqliteStore({ path })]);
  await committed(one, commitOf([transition("a", 1)]));
  await committed(two, commitOf([transition("a", 2)]));
  assert.is((await one.read("a"))!.revision, 2);
  const late = transition("a", 2, { journal: { eventId: "late" } });
  assert.is((await one.commit(commitOf([late]))).outcome, "conflict");
  await Promise.all([one.close(), two.close()]);
});

test("commit() of four processes on one new file loses nothing", async () => {
  const path = join(await tempDir(), "store.db");
  const writers = ["p", "q", "r", "s"];
  const script = "kit/children/store-writer.ts";
  const ends = await Promise.all(
    writers.map((actor) => runScript(script, [path, actor, "200", "shared"])),
  );
  for (const { code, stdout, stderr } of ends) {
    assert.is(code, 0, stderr);
    assert.is(stdout.trim().split("\n").length, 200);
  }
  const store = await openSqliteStore({ path });
  for (const actor of writers) {
    const revisions = (await store.journal(actor, 0, 1000)).map((row) => row.revision);
    assert.equal(revisions, Array.from({ length: 200 }, (_, at) => at + 1));
  }
  assert.is((await store.read("shared"))!.revision, 80);
  assert.is((await store.journal("shared", 0, 1000)).length, 80);
  assert.is((await store.feed(0, 10_000)).length, 880);
  await store.close();
  assert.equal(await integrity(path), "ok");
}, { timeoutMs: 60_000 });

test("commit() that was answered survives kill -9", async () => {
  const path = join(await tempDir(), "store.db");
  for (const actor of ["p", "q", "r"]) {
    const child = spawnScript("kit/children/store-writer.ts", [path, actor, "100000"]);
    let answered = 0;
    for await (const line of createInterface({ input: child.stdout! })) {
      answered = Math.max(answered, Number(line));
      if (answered >= 150) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    assert.is(child.signalCode, "SIGKILL");
    assert.ok(answered >= 150);
    const store = await openSqliteStore({ path });
    const row = (await store.read(actor))!;
    assert.ok(row.revision >= answered, `${row.revision} of ${answered}`);
    assert.is((await store.journal(actor, 1, 1e6)).length, row.revision);
    await store.close();
    assert.equal(await integrity(path), "ok");
  }
}, { timeoutMs: 60_000 });

test("commit() waits for another process's lock while timers and reads go on", async () => {
  const path = join(await tempDir(), "store.db");
  const store = await openSqliteStore({ path });
  await committed(store, commitOf([transition("a", 1)]));
  const locker = await lockedBy(path);
  let answered = false;
  const writes = [2, 3].map((revision) => store.commit(commitOf([transition("a", revision)])));
  const both = Promise.all(writes).then((results) => {
    answered = true;
    return results;
  });
  const waits: number[] = [];
  for (let tick = 0; tick < 40; tick++) {
    const began = performance.now();
    await new Promise<void>((resolve) => setTimeout(resolve, 2));
    waits.push(performance.now() - began);
    assert.is((await store.read("a"))!.revision, 1);
  }
  assert.not(answered);
  // A tick that had waited for the lock would have waited for ever: only this ends it.
  assert.ok(waits.sort((a, b) => a - b)[20]! < 50, `median tick ${waits[20]} ms`);
  await unlock(locker);
  assert.equal((await both).map((result) => result.outcome), ["committed", "committed"]);
  await store.close();
});

test("commit() gives up with store-busy after its patience, and the next one is fine", async () => {
  const path = join(await tempDir(), "store.db");
  const store = await openSqliteStore({ path, patienceMs: 60 });
  const locker = await lockedBy(path);
  const error = await failure(store.commit(commitOf([transition("a", 1)])));
  assert.is(error.code, "store-busy");
  assert.ok(error.message.includes(path), error.message);
  assert.ok(error.code === "store-busy" && error.details.waitedMs >= 60);
  await unlock(locker);
  await committed(store, commitOf([transition("a", 1)]));
  await store.close();
});

test("close() waits for a commit that waits for a lock", async () => {
  const path = join(await tempDir(), "store.db");
  const store = await openSqliteStore({ path });
  const locker = await lockedBy(path);
  const pending = store.commit(commitOf([transition("a", 1)]));
  const closed = store.close();
  await unlock(locker);
  assert.is((await pending).outcome, "committed");
  await closed;
});

test("openSqliteStore() of a new file by eight at once makes one schema", async () => {
  const path = join(await tempDir(), "store.db");
  const inside = Array.from({ length: 4 }, () => openSqliteStore({ path }));
  const outside = ["p", "q", "r", "s"].map((actor) =>
    runScript("kit/children/store-writer.ts", [path, actor, "1"])
  );
  const stores = await Promise.all(inside);
  for (const { code, stderr } of await Promise.all(outside)) assert.is(code, 0, stderr);
  assert.is((await stores[0]!.actors({ limit: 10 })).length, 4);
  await Promise.all(stores.map((store) => store.close()));
}, { timeoutMs: 60_000 });

test("openSqliteStore() refuses a file of a newer version", async () => {
  const path = join(await tempDir(), "store.db");
  await (await openSqliteStore({ path })).close();
  await raw(path, (driver) => driver.exec("PRAGMA user_version = 99"));
  const error = await failure(openSqliteStore({ path }));
  assert.is(error.code, "store-version");
  assert.match(error.message, /version 99/);
});

test("openSqliteStore() refuses another program's database", async () => {
  const path = join(await tempDir(), "other.db");
  await raw(path, (driver) => driver.exec("CREATE TABLE cookies (id)"));
  const error = await failure(openSqliteStore({ path }));
  assert.is(error.code, "store-version");
  assert.match(error.message, /another program's/);
  const tables = await raw(
    path,
    (driver) => driver.prepare("SELECT name FROM sqlite_schema").all(),
  );
  assert.is(tables.length, 1);
});

test("openSqliteStore() refuses a file that is no database, and leaves it as it is", async () => {
  const path = join(await tempDir(), "notes.txt");
  await writeFile(path, "remember the milk\n".repeat(200));
  const error = await failure(openSqliteStore({ path }));
  assert.is(error.code, "store-version");
  assert.is((await stat(path)).size, 18 * 200);
});

test("openSqliteStore() refuses a damaged database", async () => {
  const path = join(await tempDir(), "store.db");
  await (await openSqliteStore({ path })).close();
  const { open } = await import("node:fs/promises");
  const file = await open(path, "r+");
  await file.write(new Uint8Array(3900).fill(7), 0, 3900, 100);
  await file.close();
  assert.is((await failure(openSqliteStore({ path }))).code, "store-version");
});

test("openSqliteStore() of a path that cannot be made fails with store-failed", async () => {
  const dir = await tempDir();
  await writeFile(join(dir, "file"), "");
  const error = await failure(openSqliteStore({ path: join(dir, "file", "store.db") }));
  assert.is(error.code, "store-failed");
});

test("commit() whose COMMIT fails rejects, with all of its group, and applies nothing", async () => {
  const path = join(await tempDir(), "store.db");
  let failing = false;
  const open = (await findDriver())!;
  const store = await openSqliteStore({
    path,
    driver: (each) => {
      const driver = open(each);
      const prepare = (sql: string) => {
        const statement = driver.prepare(sql);
        if (sql !== "COMMIT") return statement;
        const run = () => {
          // A bad statement fails as SQLite does.
          if (failing) driver.prepare("SELECT abs(-9223372036854775807 - 1)").get();
          return statement.run();
        };
        return { ...statement, run, get: statement.get, all: statement.all };
      };
      return { ...driver, prepare };
    },
  });
  await committed(store, commitOf([transition("a", 1)]));
  failing = true;
  const group = [
    failure(store.commit(commitOf([transition("a", 2)]))),
    failure(store.commit(commitOf([transition("b", 1)]))),
  ];
  for (const error of await Promise.all(group)) assert.is(error.code, "store-failed");
  failing = false;
  assert.is((await store.read("a"))!.revision, 1);
  assert.is(await store.read("b"), undefined);
  await committed(store, commitOf([transition("a", 2)]));
  await store.close();
});

test("commit() on a full disk says so, also to its group, and the next one is fine", async () => {
  const path = join(await tempDir(), "store.db");
  const open = (await findDriver())!;
  let driver: Driver | undefined;
  const store = await openSqliteStore({ path, driver: (each) => driver = open(each) });
  await committed(store, commitOf([transition("a", 1)]));
  const pages = (count: number) => driver!.prepare(`PRAGMA max_page_count = ${count}`).get();
  pages(1);
  const big = "x".repeat(100_000);
  const group = ["b", "c"].map((id) =>
    failure(store.commit(commitOf([transition(id, 1, { actor: { state: big } })])))
  );
  for (const error of await Promise.all(group)) {
    assert.is(error.code, "store-failed");
    assert.match(error.message, /full/);
  }
  pages(1_000_000);
  assert.equal((await store.actors({ limit: 10 })).map((row) => row.id), ["a"]);
  await committed(store, commitOf([transition("b", 1)]));
  await store.close();
});

test("commit() that throws leaves the others of its group alone", async () => {
  const store = await openSqliteStore({ path: ":memory:" });
  await committed(store, commitOf([transition("a", 1, { outbox: [{}] })]));
  const twice = transition("b", 1, { outbox: [{ id: "a:1:0" }] });
  const [one, bad, two] = await Promise.allSettled([
    store.commit(commitOf([transition("c", 1)])),
    store.commit(commitOf([twice])),
    store.commit(commitOf([transition("d", 1)])),
  ]);
  assert.is(bad.status, "rejected");
  assert.equal([one.status, two.status], ["fulfilled", "fulfilled"]);
  const ids = (await store.actors({ limit: 10 })).map((row) => row.id);
  assert.equal(ids, ["a", "c", "d"]);
  assert.equal((await store.feed(0, 10)).map((row) => row.actor), ["a", "c", "d"]);
  await store.close();
});

async function lockedBy(path: string): Promise<ChildProcess> {
  const child = spawnScript("kit/children/store-locker.ts", [path]);
  await once(child.stdout!, "data");
  return child;
}

async function unlock(child: ChildProcess): Promise<void> {
  child.stdin!.end();
  await once(child, "exit");
}

async function integrity(path: string): Promise<unknown> {
  const sql = "SELECT integrity_check AS answer FROM pragma_integrity_check";
  const row = await raw(path, (driver) => driver.prepare(sql).get());
  return (row as { readonly answer: unknown }).answer;
}

async function raw<T>(path: string, use: (driver: Driver) => T): Promise<T> {
  const driver = (await findDriver())!(path);
  try {
    return use(driver);
  } finally {
    driver.close();
  }
}

async function failure(promise: Promise<unknown>): Promise<AnySidecanaryError> {
  try {
    await promise;
  } catch (error) {
    if (isSidecanaryError(error)) return error;
    throw error;
  }
  throw new Error("it did not reject");
}
