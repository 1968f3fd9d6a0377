import type { Driver, OpenDriver, Statement } from "./driver.ts";

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
}

interface Libsql {
  readonly default: new (path: string) => Database;
}

/** The package `libsql`, for a Node without a SQLite of its own, or `undefined` where it is missing. */
export async function openLibsqlDriver(): Promise<OpenDriver | undefined> {
  const libsql = await load();
  if (libsql === undefined) return undefined;
  return (path): Driver => {
    const database = new libsql.default(path);
    return {
      name: "libsql",
      prepare: (sql) => database.prepare(sql),
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      resultCode,
    };
  };
}

async function load(): Promise<Libsql | undefined> {
  try {
    return await import("libsql") as unknown as Libsql;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // The second is the package without the binary of this platform.
    if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("rawCode" in error)) return undefined;
  return typeof error.rawCode === "number" ? error.rawCode & 0xff : undefined;
}
