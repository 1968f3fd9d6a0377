import type { ProjectCommand } from "../../variants/campaign-request.ts";

/** Lower case, so that `CI=1 npm test` stays a command with a variable. */
const NAMED = /^([a-z][a-z0-9_.:-]*)=([^]*)$/;

const LONGEST_NAME = 60;

/**
 * A command given as `CMD` or `name=CMD`. A name begins with a lower-case letter; an assignment like
 * `CI=1 npm test` belongs to the command. Without a name the command is its own.
 *
 * @throws RangeError when there is no command
 */
export function parseCommand(text: string): ProjectCommand {
  const [, name, rest] = NAMED.exec(text) ?? [];
  const run = (rest ?? text).trim();
  if (run === "") throw new RangeError(`"${text}" holds no command: give CMD or name=CMD`);
  if (run.includes("\0")) throw new RangeError("a command must not hold a NUL character");
  return { name: name ?? nameOf(run), run };
}

/** A name for a command that has none. */
export function nameOf(run: string): string {
  const line = run.replace(/\s+/g, " ").trim();
  return line.length <= LONGEST_NAME ? line : `${line.slice(0, LONGEST_NAME - 1)}…`;
}
