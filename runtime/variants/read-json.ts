import { SidecanaryError } from "../errors.ts";

/**
 * Parses JSON. The error names the line and the column where the text stops being JSON, which the
 * runtimes' own errors do not all tell.
 *
 * @param firstLine the line of the source that `text` begins in
 * @throws SidecanaryError `input-invalid`
 */
export function readJson(text: string, source: string, firstLine = 1): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const at = firstError(text);
    const before = text.slice(0, at).split("\n");
    const line = firstLine + before.length - 1;
    const column = (before.at(-1) ?? "").length + 1;
    const found = at >= text.length ? "it ends too early" : `unexpected ${quote(text, at)}`;
    throw new SidecanaryError(
      "input-invalid",
      `Cannot read ${source} as JSON: ${found} at line ${line}, column ${column}`,
      { source, entry: `line ${line}, column ${column}` },
      cause,
    );
  }
}

function quote(text: string, at: number): string {
  return JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

const BLANK = /[ \t\r\n]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// deno-lint-ignore no-control-regex
const STRING_PART = /(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*/y;

/**
 * The offset at which `text` stops being the beginning of a JSON document (RFC 8259), its length
 * where it only ends too early. Walks with a stack of its own: depth is not bounded by the call stack.
 */
function firstError(text: string): number {
  let at = 0;
  const skip = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    const length = pattern.exec(text)?.[0].length ?? 0;
    at += length;
    return length;
  };
  const string = (): boolean => {
    if (text[at] !== '"') return false;
    at++;
    // In pieces: one repetition over megabytes may exhaust the pattern's own stack.
    while (skip(STRING_PART) > 0);
    if (text[at] !== '"') return false;
    at++;
    return true;
  };
  const closers: string[] = [];
  let want: "value" | "first" | "key" | "colon" | "next" = "value";
  for (;;) {
    skip(BLANK);
    const char = text[at];
    if (char === undefined) return at;
    if (want === "first" && char === closers.at(-1)) want = "next";
    if (want === "next") {
      if (closers.length === 0) return at;
      if (char === ",") want = closers.at(-1) === "}" ? "key" : "value";
      else if (char === closers.at(-1)) closers.pop();
      else return at;
      at++;
    } else if (want === "colon") {
      if (char !== ":") return at;
      at++;
      want = "value";
    } else if (want === "key" || (want === "first" && closers.at(-1) === "}")) {
      if (!string()) return at;
      want = "colon";
    } else if (char === "[" || char === "{") {
      closers.push(char === "[" ? "]" : "}");
      at++;
      want = "first";
    } else {
      if (!(char === '"' ? string() : skip(SCALAR) > 0)) return at;
      want = "next";
    }
  }
}
