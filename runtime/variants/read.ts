import { Buffer, isUtf8 } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, posix } from "node:path";
import * as v from "valibot";
import { SidecanaryError } from "../errors.ts";
import { readJson } from "./read-json.ts";
import type { Variant } from "./variant.ts";
import { variantSchema } from "./variant-schema.ts";

/** Where variants may come from beside the file system. */
export interface ReadOptions {
  /**
   * What `-` reads.
   * @default nothing: `-` is refused
   */
  readonly stdin?: AsyncIterable<Uint8Array | string>;
}

/** An entry before it was looked at, and how to name it. */
interface Entry {
  readonly value: unknown;
  readonly name: string;
}

const PATCHES: ReadonlySet<string> = new Set([".patch", ".diff"]);
const LINES: ReadonlySet<string> = new Set([".jsonl", ".ndjson"]);

/**
 * Reads variants: chunk's JSON array, JSON Lines, a folder of `.patch` and `.diff` files (the id is
 * the path below the folder without its extension, in the order of their ids), or one such file. An
 * empty file is no variants.
 *
 * @param source a path, or `-` for standard input
 * @throws SidecanaryError `input-invalid`, naming the entry and the field
 */
export async function readVariants(source: string, options: ReadOptions = {}): Promise<Variant[]> {
  if (source === "-") return check(parseText(decode(await drain(options), "-"), "-"), "-");
  let isFolder: boolean;
  try {
    isFolder = (await stat(source)).isDirectory();
  } catch (cause) {
    throw unreadable(source, cause);
  }
  if (isFolder) return check(await readFolder(source), source);
  const bytes = await readFile(source).catch((cause: unknown) => {
    throw unreadable(source, cause);
  });
  const extension = extname(source).toLowerCase();
  if (PATCHES.has(extension)) {
    return check([patchEntry(posix.basename(source.replaceAll("\\", "/")), bytes)], source);
  }
  const text = decode(bytes, source);
  const entries = LINES.has(extension) ? parseLines(text, source) : parseText(text, source);
  return check(entries, source);
}

function parseText(text: string, source: string): Entry[] {
  if (text.trim() === "") return [];
  if (text.trimStart().startsWith("{") && isEntry(firstLine(text))) return parseLines(text, source);
  const parsed = readJson(text, source);
  if (!Array.isArray(parsed)) {
    const what = parsed === null
      ? "null"
      : typeof parsed === "object"
      ? "an object"
      : typeof parsed;
    throw new SidecanaryError(
      "input-invalid",
      `Cannot use ${source}: it holds ${what}, where an array of variants is expected`,
      { source },
    );
  }
  return parsed.map((value: unknown, index) => ({ value, name: `entry ${index}` }));
}

function parseLines(text: string, source: string): Entry[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const number = index + 1;
    return [{ value: readJson(line.replace(/\r$/, ""), source, number), name: `line ${number}` }];
  });
}

function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0] ?? "";
}

/** Whether a line could be an entry of JSON Lines; an object without its fields is something else. */
function isEntry(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && ("id" in value || "patch" in value);
  } catch {
    return false;
  }
}

async function readFolder(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const file of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = posix.join(below, file.name);
      const isFolder = file.isSymbolicLink()
        ? (await stat(join(folder, path))).isDirectory()
        : file.isDirectory();
      // A linked folder may lead back up here.
      if (isFolder && !file.isSymbolicLink()) await visit(path);
      if (isFolder || !PATCHES.has(extname(file.name).toLowerCase())) continue;
      entries.push(patchEntry(path, await readFile(join(folder, path))));
    }
  };
  try {
    await visit("");
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function patchEntry(path: string, bytes: Buffer): Entry {
  const id = path.slice(0, -extname(path).length);
  const base = { id, description: "" };
  const value = isUtf8(bytes)
    ? { ...base, patch: bytes.toString("utf8") }
    : { ...base, patch: bytes.toString("latin1"), patchEncoding: "latin1" };
  return { value, name: path };
}

function check(entries: readonly Entry[], source: string): Variant[] {
  const seen = new Map<string, string>();
  return entries.map(({ value, name }) => {
    const result = v.safeParse(variantSchema, value, { abortPipeEarly: true });
    if (!result.success) throw invalid(source, name, value, result.issues);
    const variant: Variant = result.output;
    const other = seen.get(variant.id);
    if (other !== undefined) {
      const why = `has the id "${variant.id}" that ${other} has already. Ids must be unique`;
      throw refused(source, name, "id", why);
    }
    seen.set(variant.id, name);
    return variant;
  });
}

function invalid(
  source: string,
  name: string,
  value: unknown,
  issues: readonly v.BaseIssue<unknown>[],
): SidecanaryError {
  const issue = issues[0];
  const field = issue === undefined ? "" : v.getDotPath(issue) ?? "";
  if (field === "" || Array.isArray(value)) {
    return refused(source, name, "", "must be an object with id and patch");
  }
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
  const entry = typeof id === "string" && field !== "id" ? `${name} (${JSON.stringify(id)})` : name;
  const absent = issue?.input === undefined;
  const why = absent ? "is missing" : issue.message;
  return refused(source, entry, field, `${field} ${why}${more}`);
}

function refused(source: string, entry: string, field: string, why: string): SidecanaryError {
  return new SidecanaryError(
    "input-invalid",
    `Cannot use ${source}: ${entry}: ${why}`,
    field === "" ? { source, entry } : { source, entry, field },
  );
}

async function drain(options: ReadOptions): Promise<Buffer> {
  if (options.stdin === undefined) throw new TypeError('"-" needs a standard input');
  const chunks: Buffer[] = [];
  for await (const chunk of options.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer, source: string): string {
  try {
    // Drops a byte order mark.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SidecanaryError(
      "input-invalid",
      `Cannot read ${source}: it is not UTF-8. Save it as UTF-8`,
      { source },
      cause,
    );
  }
}

function unreadable(source: string, cause: unknown): SidecanaryError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SidecanaryError("input-invalid", `Cannot read ${source}: ${why}`, { source }, cause);
}
