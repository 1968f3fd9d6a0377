import process from "node:process";
import type { Driver, OpenDriver, Statement } from "./driver.ts";

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
}

interface NodeSqlite {
  readonly DatabaseSync: new (path: string) => Database;
}

/** The binding that Node (from 22.13) and Deno carry, or `undefined` on an older Node. */
export function nodeDriver(): OpenDriver | undefined {
  const sqlite = loadQuietly();
  if (sqlite === undefined) return undefined;
  return (path): Driver => {
    const database = new sqlite.DatabaseSync(path);
    return {
      name: "node:sqlite",
      prepare: (sql) => database.prepare(sql),
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      resultCode,
    };
  };
}

/**
 * Node 22 warns that the module is experimental, at once when it is loaded. Loading is synchronous,
 * so that no other warning can pass while this one is held back.
 */
function loadQuietly(): NodeSqlite | undefined {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === "ExperimentalWarning") return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return process.getBuiltinModule("node:sqlite") as NodeSqlite | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") {
    return undefined;
  }
  // Deno leaves the number out where `exec` threw: 1 is SQLite's "some error".
  const extended = "errcode" in error && typeof error.errcode === "number" ? error.errcode : 1;
  return extended & 0xff;
}
