import { type CliIo, write } from "../io.ts";

/** Prints an answer: as JSON where that was asked for, else for people. */
export async function printAnswer(
  io: Pick<CliIo, "stdout">,
  json: boolean | undefined,
  answer: unknown,
  text: string,
): Promise<void> {
  await write(io.stdout, json ? `${JSON.stringify(answer, null, 2)}\n` : text);
}

/** `3h 20m`, `5m`, `40s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)}d`;
  return minutes % 60 === 0 ? `${hours}h` : `${hours}h ${minutes % 60}m`;
}

/** Rows as columns that line up. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows.map((row) =>
    `${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd()}\n`
  ).join("");
}
