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
 * Whether the patch names its files as they are, without `a/` and `b/` (`diff.noprefix`).
 *
 * @param isFolder whether the payload has a folder of this name at its top
 */
export function isWithoutPrefix(patch: string, isFolder: (name: string) => boolean): boolean {
  const pairs = [
    ...patch.matchAll(/^diff --git (.+) \1\r?$/gm),
    ...patch.matchAll(/^--- ([^\t\r\n]+).*\r?\n\+\+\+ (?:\1|\/dev\/null)(?:\t.*)?\r?$/gm),
    ...patch.matchAll(/^--- \/dev\/null.*\r?\n\+\+\+ ([^\t\r\n]+).*$/gm),
  ];
  const headers = [...patch.matchAll(/^(?:diff --git .|--- .*\r?\n\+\+\+ .)/gm)];
  return pairs.length > 0 && pairs.length >= headers.length &&
    pairs.every(([, name = ""]) => {
      const prefix = /^"?([abciow])\//.exec(name)?.[1];
      return prefix === undefined || isFolder(prefix);
    });
}
