import { openLibsqlDriver } from "./libsql-driver.ts";
import { nodeDriver } from "./node-driver.ts";

/** What a parameter may be. */
export type SqlValue = string | number | null;

/** A prepared statement, as both drivers have it. */
export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

/** The few methods that the store needs of a SQLite binding. */
export interface Driver {
  /** The package, for messages. */
  readonly name: string;
  prepare(sql: string): Statement;
  /** Runs one or several statements without answers. */
  exec(sql: string): void;
  close(): void;
  /**
   * SQLite's primary result code of what a method threw, or `undefined` where it is not SQLite's.
   * {@link https://www.sqlite.org/rescode.html}
   */
  resultCode(error: unknown): number | undefined;
}

/** Opens a database file with one binding. */
export type OpenDriver = (path: string) => Driver;

/** The runtime's own `node:sqlite` where it has one, else the package `libsql`, else `undefined`. */
export async function findDriver(): Promise<OpenDriver | undefined> {
  return nodeDriver() ?? await openLibsqlDriver();
}
