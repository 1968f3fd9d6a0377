import type { ParsedKey } from "ssh2";
import { type AskPassphrase, readKey } from "../../ssh/read-key.ts";

/** Reads private keys, each once: to decrypt one blocks for up to a second. */
export function keyReader(
  passphrase: AskPassphrase,
  onWarning: (message: string) => void,
): (path: string) => Promise<ParsedKey> {
  const keys = new Map<string, Promise<ParsedKey>>();
  return (path) => {
    const known = keys.get(path);
    if (known !== undefined) return known;
    const key = readKey(path, { passphrase, onWarning });
    keys.set(path, key);
    // What is wrong with a file may be mended until the next time.
    key.catch(() => keys.delete(path));
    return key;
  };
}
