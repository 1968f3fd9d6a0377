import type { Buffer } from "node:buffer";
import type { PatchLocation } from "./report.ts";

/** Where a change stands in the unpatched file. */
export interface PatchRange extends PatchLocation {
  /** The last changed line; `line` where lines were only inserted. */
  readonly endLine: number;
}

/**
 * The lines of `before` that `after` changes, from what both have in common at their start and end.
 * 1-based. A null stands for a file that is not there; a new file, a binary one and an equal one
 * (a mode) are line 1, a file that goes is all of its lines.
 */
export function changedLines(
  before: Buffer | null,
  after: Buffer | null,
): { readonly line: number; readonly endLine: number } {
  if (before === null || before.includes(0) || after?.includes(0)) return { line: 1, endLine: 1 };
  const old = lines(before);
  if (after === null) return { line: 1, endLine: Math.max(1, old.length) };
  const now = lines(after);
  const shorter = Math.min(old.length, now.length);
  let head = 0;
  while (head < shorter && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < shorter - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  const line = Math.max(1, Math.min(head + 1, old.length));
  return { line, endLine: Math.max(line, old.length - tail) };
}

function lines(content: Buffer): string[] {
  const split = content.toString("latin1").split("\n");
  if (split.at(-1) === "") split.pop();
  return split;
}
