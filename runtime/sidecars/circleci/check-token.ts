import { SidecanaryError } from "../../errors.ts";

/**
 * A token as it goes into a header: the message of a failure there would show it.
 *
 * @param source where it came from, for messages: a variable, a file
 * @throws SidecanaryError `usage` that never shows the token
 */
export function checkToken(token: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const why = token === ""
    ? `There is no token in ${source}: write it there, alone`
    : `The token of ${source} holds characters that no token has: copy it again, alone`;
  throw new SidecanaryError("usage", why, {});
}
