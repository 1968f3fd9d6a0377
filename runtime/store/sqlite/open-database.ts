import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import type { Driver } from "./driver.ts";
import type { Patience } from "./patience.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";

const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const JOURNAL_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * Makes the file where there is none, readable by its user alone. An existing one is not touched:
 * closing any descriptor of it would drop the locks that SQLite holds in this process.
 */
export async function createFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await (await open(path, "wx", 0o600)).close();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Sets a fresh connection up and brings the file's schema to the present version. */
export async function prepareDatabase(
  driver: Driver,
  patience: Patience,
  options: {
    readonly store: string;
    readonly path: string;
    readonly synchronous: "full" | "normal";
    readonly busyTimeoutMs: number;
  },
): Promise<void> {
  // Not by the constructor: Deno does not look at its timeout option.
  pragma(driver, `busy_timeout = ${options.busyTimeoutMs}`);
  const refuse = (found: string, cause?: unknown) =>
    new SidecanaryError(
      "store-version",
      `Cannot open "${options.path}" as a store: it is ${found}`,
      { store: options.store, found },
      cause,
    );
  let version: number;
  try {
    version = await patience.retry(() => versionOf(driver, refuse));
    const mode = await patience.retry(() => pragma(driver, "journal_mode = WAL"));
    if (mode !== "wal" && mode !== "memory") {
      throw new SidecanaryError(
        "store-failed",
        `Cannot keep a store in "${options.path}": its file system does not allow a write-ahead log`,
        { store: options.store },
      );
    }
  } catch (error) {
    const code = driver.resultCode(error instanceof SidecanaryError ? error.cause : error);
    if (code === NOT_A_DATABASE) throw refuse("not a SQLite database", error);
    if (code === CORRUPT) throw refuse("a damaged SQLite database", error);
    throw error;
  }
  pragma(driver, `synchronous = ${options.synchronous}`);
  pragma(driver, `journal_size_limit = ${JOURNAL_LIMIT_BYTES}`);
  if (version < MIGRATIONS.length) await patience.retry(() => migrate(driver, refuse));
}

type Refuse = (found: string) => SidecanaryError;

function versionOf(driver: Driver, refuse: Refuse): number {
  const version = Number(pragma(driver, "user_version"));
  const application = Number(pragma(driver, "application_id"));
  const { tables } = driver.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as {
    readonly tables: number;
  };
  const blank = version === 0 && application === 0 && tables === 0;
  if (!blank && application !== APPLICATION_ID) throw refuse("another program's database");
  if (version > MIGRATIONS.length) {
    throw refuse(`of version ${version}, and this sidecanary knows ${MIGRATIONS.length}`);
  }
  return version;
}

function migrate(driver: Driver, refuse: Refuse): void {
  driver.prepare("BEGIN IMMEDIATE").run();
  try {
    // Another process may have been first.
    const version = versionOf(driver, refuse);
    for (const migration of MIGRATIONS.slice(version)) driver.exec(migration);
    if (version < MIGRATIONS.length) {
      pragma(driver, `application_id = ${APPLICATION_ID}`);
      pragma(driver, `user_version = ${MIGRATIONS.length}`);
    }
    driver.prepare("COMMIT").run();
  } catch (error) {
    try {
      driver.exec("ROLLBACK");
    } catch {
      // SQLite has ended the transaction by itself, over `error`: a full disk, say.
    }
    throw error;
  }
}

function pragma(driver: Driver, text: string): unknown {
  const row = driver.prepare(`PRAGMA ${text}`).get() as Record<string, unknown> | undefined;
  return row?.[text.split(" ")[0] === "busy_timeout" ? "timeout" : text.split(" ")[0]!];
}
