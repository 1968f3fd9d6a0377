import { Buffer } from "node:buffer";

/**
 * A path below a root as git sees it: bytes, `/` between the parts. One character stands for one
 * byte (latin1), so that a name that is not UTF-8 survives and code units compare as bytes do.
 */
export type BytePath = string;

/** The bytes of a path, as `node:fs` takes them. */
export function toBytes(path: BytePath): Buffer {
  return Buffer.from(path, "latin1");
}

/** The path that these bytes spell. */
export function fromBytes(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The path of a JavaScript string, written in UTF-8 as file systems and patches do. */
export function fromText(text: string): BytePath {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The path for people and for JSON; a byte that is not UTF-8 becomes U+FFFD. */
export function toText(path: BytePath): string {
  return Buffer.from(path, "latin1").toString("utf8");
}

/** The paths of a `-z` listing. */
export function splitNul(bytes: Uint8Array): BytePath[] {
  const paths = fromBytes(bytes).split("\0");
  paths.pop();
  return paths;
}

/** What `--stdin -z` takes. */
export function joinNul(paths: Iterable<BytePath>): Buffer {
  let text = "";
  for (const path of paths) text += `${path}\0`;
  return toBytes(text);
}

/** The folder that a path lies in, `""` for the root. */
export function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
