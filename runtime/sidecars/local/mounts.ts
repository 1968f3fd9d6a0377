import { readFileSync } from "node:fs";

/**
 * The mount points strictly below `dir`, as this process sees them. Empty where the system does not
 * say (no `/proc`).
 */
export function mountsBelow(dir: string): string[] {
  let table: string;
  try {
    table = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return [];
  }
  const prefix = dir === "/" ? "/" : `${dir}/`;
  const points = table.split("\n").map((line) => unescape(line.split(" ")[4] ?? ""));
  return points.filter((point) => point.startsWith(prefix) && point !== prefix);
}

/** The kernel writes blanks, tabs, newlines and backslashes as octal. */
function unescape(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1").replace(
    /\\([0-7]{3})/g,
    (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
