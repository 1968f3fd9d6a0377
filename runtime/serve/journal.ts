import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as v from "valibot";
import { type Owner, ownerState, startOf } from "../sidecars/local/owner.ts";
import { instanceDir, removeInstanceDir } from "./instance-dir.ts";
import { endShared } from "./shared-user.ts";

/** What is written down of an instance before and after its processes start. */
export interface JournalEntry {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** The process everything hangs on, and when it started; absent until there is one. */
  readonly holder?: Owner | undefined;
}

const ENTRY = v.object({
  id: v.string(),
  name: v.string(),
  owner: v.string(),
  holder: v.optional(v.object({ place: v.string(), pid: v.number(), started: v.string() })),
});

const GONE_MS = 5_000;

/** Writes the entry of an instance whose directory is there, as a whole or not at all. */
export async function writeJournal(stateDir: string, entry: JournalEntry): Promise<void> {
  const path = join(instanceDir(stateDir, entry.id), "instance.json");
  await writeFile(`${path}.new`, JSON.stringify(entry), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** What {@link recover} did with one instance. */
export interface Recovered {
  readonly id: string;
  /** What is left, where something is. */
  readonly problem?: string;
}

/** Ends and removes what an earlier server of this state directory has left. */
export async function recover(stateDir: string): Promise<Recovered[]> {
  const home = join(stateDir, "instances");
  await mkdir(home, { recursive: true, mode: 0o700 });
  const found: Recovered[] = [];
  for (const id of await readdir(home)) {
    try {
      await endLeftovers(id, await readJournal(stateDir, id));
      await removeInstanceDir(instanceDir(stateDir, id));
      found.push({ id });
    } catch (error) {
      found.push({ id, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return found;
}

async function readJournal(stateDir: string, id: string): Promise<JournalEntry | undefined> {
  try {
    const text = await readFile(join(instanceDir(stateDir, id), "instance.json"), "utf8");
    return v.parse(ENTRY, JSON.parse(text));
  } catch (error) {
    // Killed before it was written: nothing runs yet.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function endLeftovers(id: string, entry: JournalEntry | undefined): Promise<void> {
  const holder = entry?.holder;
  if (holder === undefined) return;
  if (holder.pid === 0) return await endShared(id);
  if (ownerState(holder) !== "alive") return;
  process.kill(holder.pid, "SIGKILL");
  const deadline = Date.now() + GONE_MS;
  while (startOf(holder.pid) === holder.started) {
    if (Date.now() > deadline) {
      throw new Error(`process ${holder.pid} did not end within ${GONE_MS} ms of being killed`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
