import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { type Driver, findDriver } from "../../runtime/store/sqlite/driver.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";

const test = suite("query plans");

// Lists for people, which read what there is; the second holds only rows that are open.
const LISTS = ["SCAN dead_letter", "SCAN outbox USING INDEX outbox_open", "SCAN timer USING INDEX"];

test("openSqliteStore() prepares no statement that looks at every row of a table", async () => {
  const open = (await findDriver())!;
  const statements = new Set<string>();
  let driver: Driver | undefined;
  const store = await openSqliteStore({
    path: ":memory:",
    driver(path) {
      const inner = driver = open(path);
      const prepare = (sql: string) => {
        statements.add(sql);
        return inner.prepare(sql);
      };
      return { ...inner, prepare };
    },
  });
  const queries = [...statements].filter((sql) => /^\s*(SELECT|WITH|UPDATE|DELETE)/.test(sql));
  assert.ok(queries.length > 40);
  for (const sql of queries) {
    const plan = driver!.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    const table = "(actor|a|journal|outbox|o|inbox|timer|w|record|machine|dead_letter)";
    const scans = plan.map((row) => row.detail)
      .filter((detail) => new RegExp(`^SCAN ${table}\\b`).test(detail))
      .filter((detail) => !LISTS.some((list) => detail.startsWith(list)));
    assert.equal(scans, [], sql);
  }
  await store.close();
});
