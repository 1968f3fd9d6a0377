import { Buffer } from "node:buffer";
import type { BytePath } from "../sync/byte-path.ts";

const HEADER = /^(?:---|\+\+\+|diff --git|rename from|rename to|copy from|copy to) (.*?)\r?$/gm;

/**
 * Every name that the headers of a patch may mean, in the order of the patch, each with and without
 * its first folder. More than it touches, never less: git alone decides what a header says.
 *
 * @param patch the patch, one character a byte
 */
export function namesInPatch(patch: string): Set<BytePath> {
  const names = new Set<BytePath>();
  for (const [, rest = ""] of patch.matchAll(HEADER)) {
    for (const name of readings(rest)) {
      const clean = name.replace(/\/+/g, "/");
      names.add(clean);
      names.add(clean.slice(clean.indexOf("/") + 1));
    }
  }
  names.delete("");
  return names;
}

/** Names end at a tab (a date follows) or at any blank, or they are quoted. */
function readings(rest: string): string[] {
  const quoted = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)];
  const plain = rest.replace(/"(?:[^"\\]|\\.)*"/g, "").trim();
  const names = quoted.map(([, name = ""]) => unquote(name));
  names.push(rest, plain);
  for (const at of plain.matchAll(/[ \t]/g)) {
    names.push(plain.slice(0, at.index), plain.slice(at.index + 1));
  }
  return names;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** A name as git quotes it, in C's manner. */
function unquote(name: string): string {
  return name.replace(/\\([0-7]{3}|.)/g, (_, escape: string) => {
    if (escape.length === 3) return Buffer.from([parseInt(escape, 8)]).toString("latin1");
    return ESCAPES[escape] ?? escape;
  });
}

/**
 * Whether the patch names its files as they are, without `a/` and `b/` (`diff.noprefix`): where each
 * file has one name on both sides. A name on one side only tells by its look.
 *
 * @param isFolder whether the payload has a folder of this name at its top
 */
export function isWithoutPrefix(patch: string, isFolder: (name: string) => boolean): boolean {
  const plain = (name: string) => prefixOf(name) === undefined;
  const plainOrFolder = (name: string) => plain(name) || isFolder(prefixOf(name) ?? "");
  const files = patch.match(/^diff --git /gm)?.length ?? 0;
  if (files > 0) {
    const same = names(patch, /^diff --git (.+) \1\r?$/gm);
    const moved = names(patch, MOVED);
    return same.length + moved.length === files && same.every(plainOrFolder);
  }
  const same = names(patch, /^--- ([^\t\r\n]+).*\r?\n\+\+\+ \1(?:\t.*)?\r?$/gm);
  const gone = names(patch, /^--- ([^\t\r\n]+).*\r?\n\+\+\+ \/dev\/null(?:\t.*)?\r?$/gm);
  const made = names(patch, /^--- \/dev\/null.*\r?\n\+\+\+ ([^\t\r\n]+).*$/gm);
  const all = patch.match(/^--- .*\r?\n\+\+\+ ./gm)?.length ?? 0;
  return all > 0 && same.length + gone.length + made.length === all &&
    same.every(plainOrFolder) && gone.every(plain) && made.every(plain);
}

/** `rename from` and `copy from` never have a prefix: the header has none either if it says the same. */
const MOVED = new RegExp(
  String.raw`^diff --git (.+) (.+)\r?\n(?:old mode .*\n|new mode .*\n)*similarity index .*\n` +
    String.raw`(?:rename|copy) from \1\r?\n(?:rename|copy) to \2\r?$`,
  "gm",
);

function names(patch: string, pattern: RegExp): string[] {
  return [...patch.matchAll(pattern)].map(([, name = ""]) => name);
}

function prefixOf(name: string): string | undefined {
  return /^"?([abciow])\//.exec(name)?.[1];
}
