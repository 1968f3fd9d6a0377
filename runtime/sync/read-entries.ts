import { readFile } from "node:fs/promises";
import { type IndexEntry, parseIndex } from "./index-file.ts";
import type { Payload } from "./payload.ts";

/** Every file of a payload, in git's order. */
export async function readEntries(payload: Pick<Payload, "indexFile">): Promise<IndexEntry[]> {
  return parseIndex(await readFile(payload.indexFile));
}
