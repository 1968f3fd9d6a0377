import { createHash, timingSafeEqual } from "node:crypto";
import { SidecanaryError } from "../errors.ts";

/** Who may use the host. An owner sees only instances of its own. */
export interface ServeToken {
  /** The owner's name; no secret. Two tokens of one name are one owner. */
  readonly owner: string;
  /** At least 16 characters without blanks. */
  readonly secret: string;
}

const SHORTEST = 16;
const OWNER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Reads tokens: one a line, after the owner's name or alone (`owner-1`, `owner-2`, … by their order).
 * Empty lines, and those that begin with `#`, are skipped.
 *
 * @param source for messages: a path, the name of a variable
 * @throws SidecanaryError `config-invalid` that names the line, never the token
 */
export function parseTokens(text: string, source: string): ServeToken[] {
  const tokens: ServeToken[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#")) continue;
    const refuse = (why: string) => {
      const message = `Line ${index + 1} of ${source} ${why}`;
      return new SidecanaryError("config-invalid", message, { path: source, field: "token" });
    };
    if (words.length > 2) throw refuse("has more than an owner's name and a token.");
    const [secret = "", owner = `owner-${tokens.length + 1}`] = words.reverse();
    if (!OWNER.test(owner)) {
      throw refuse("has a name that is not made of letters, digits, dots, - and _.");
    }
    if (secret.length < SHORTEST) {
      throw refuse(`has a token of fewer than ${SHORTEST} characters; make a longer one.`);
    }
    tokens.push({ owner, secret });
  }
  if (tokens.length > 0) return tokens;
  const message = `There is no token in ${source}; without one nobody could use the host.`;
  throw new SidecanaryError("config-invalid", message, { path: source, field: "token" });
}

/** Tells an owner by a token, in a time that says nothing about the tokens. */
export class TokenDesk {
  readonly #known: readonly { readonly owner: string; readonly digest: Buffer }[];

  constructor(tokens: readonly ServeToken[]) {
    this.#known = tokens.map(({ owner, secret }) => ({ owner, digest: digestOf(secret) }));
  }

  /** The owner, or `undefined` for a token that nobody has. */
  ownerOf(secret: string): string | undefined {
    const digest = digestOf(secret);
    let found: string | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(known.digest, digest)) found = known.owner;
    }
    return found;
  }
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret, "utf8").digest();
}
