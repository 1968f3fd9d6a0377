import { stripVTControlCharacters } from "node:util";

/** Controls but for line feed and tab, direction marks, line separators, what hides. */
const UNSEEN =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** One line of text from outside, such as an id: nothing in it can move the cursor or hide. */
export function sanitiseLine(text: string): string {
  return sanitise(text).replace(/\s*\n\s*/g, " ").replaceAll("\t", " ").trim();
}

/** Text of several lines from outside, such as a command's output; carriage returns end lines. */
export function sanitise(text: string): string {
  return stripVTControlCharacters(text).replace(/\r\n?/g, "\n").replace(UNSEEN, "\ufffd");
}
