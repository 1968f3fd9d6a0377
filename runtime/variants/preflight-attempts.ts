import { Buffer } from "node:buffer";

/** What had to be done to a patch before git took it. */
export type PatchRepair =
  /** The end of the last line was missing. */
  | "final-newline"
  /** Its line endings were made those of the files. */
  | "line-endings"
  /** The line counts in its hunk headers were wrong, or blanks in its context were. */
  | "recount"
  /** It names its files without `a/` and `b/`. */
  | "no-prefix"
  /** Its names are relative to the folder that the campaign was started in. */
  | "subdirectory"
  /** Its hunks have no context. */
  | "no-context";

/** One way to apply a patch. */
export interface PatchAttempt {
  readonly patch: Buffer;
  readonly args: readonly string[];
  readonly repairs: readonly PatchRepair[];
}

/**
 * The ways to apply a patch, strictest first.
 *
 * @param text the patch, one character a byte
 * @param directory where the campaign was started, relative to the payload's root, or `""`
 */
export function patchAttempts(
  text: string,
  withoutPrefix: boolean,
  directory: string,
): PatchAttempt[] {
  const given = text.endsWith("\n") ? text : `${text}\n`;
  const crlf = /^(?:---|\+\+\+|@@|diff --git) .*\r$/m.test(given);
  const lf = crlf ? given.replaceAll("\r\n", "\n") : given;
  const always: PatchRepair[] = [];
  if (given !== text) always.push("final-newline");
  if (withoutPrefix) always.push("no-prefix");
  const level = withoutPrefix ? "-p0" : "-p1";

  const ways: { text: string; args: string[]; repairs: PatchRepair[] }[] = [];
  const inOrder = (text: string, args: string[], ...repairs: PatchRepair[]): void => {
    ways.push({ text, args, repairs });
  };
  const loose = ["--recount", "--ignore-whitespace"];
  inOrder(given, []);
  if (crlf) inOrder(lf, [], "line-endings");
  if (!crlf) inOrder(withCrlfHunks(lf), [], "line-endings");
  if (isWithoutContext(lf)) inOrder(lf, ["--unidiff-zero"], "no-context");
  inOrder(lf, ["--recount"], "recount", ...(crlf ? ["line-endings" as const] : []));
  inOrder(withCrlfHunks(lf), ["--recount"], "recount", "line-endings");
  inOrder(lf, loose, "recount", ...(crlf ? ["line-endings" as const] : []));

  const attempts: PatchAttempt[] = [];
  for (const { text, args, repairs } of ways) {
    const patch = Buffer.from(text, "latin1");
    attempts.push({ patch, args: [level, ...args], repairs: [...always, ...repairs] });
    if (directory === "") continue;
    attempts.push({
      patch,
      args: [level, ...args, `--directory=${directory}`],
      repairs: [...always, ...repairs, "subdirectory"],
    });
  }
  return attempts;
}

/** The same change for a file whose lines end in CR LF. */
function withCrlfHunks(text: string): string {
  const lines = text.split("\n");
  let inHunk = false;
  return lines.map((line, at) => {
    if (line.startsWith("@@ ")) {
      inHunk = true;
      return line;
    }
    if (line.startsWith("diff --git ")) inHunk = false;
    if (line.startsWith("--- ") && lines[at + 1]?.startsWith("+++ ")) inHunk = false;
    const ends = lines[at + 1]?.startsWith("\\") === true || at === lines.length - 1;
    return inHunk && !ends && /^[ +-]|^$/.test(line) ? `${line || " "}\r` : line;
  }).join("\n");
}

function isWithoutContext(text: string): boolean {
  return /^@@ /m.test(text) && !/^( |$)/m.test(text.replace(/\n$/, ""));
}
