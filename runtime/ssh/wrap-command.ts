/** A command as it is sent. */
export interface WrappedCommand {
  /** For the login shell. */
  readonly line: string;
  /** What comes before all other input. */
  readonly input?: Uint8Array;
}

/** Every server takes packets of 32,768 bytes; ssh2's ends the connection over longer ones. */
const LONGEST_LINE = 32_000;
/** Less than `MAX_ARG_STRLEN` of Linux: what one argument may have. */
const LONGEST_COMMAND = 131_000;

/**
 * What makes a login shell, whichever it is, run `command` by POSIX `sh`.
 *
 * Shells differ in what they make of a backslash (fish), an exclamation mark or a newline (csh)
 * between single quotes. A command that has one of them is sent escaped, and unpacked by `sh`. One
 * that is too long for a packet is sent as the first line of the input, of which `read` takes no byte
 * more than the line.
 *
 * @throws RangeError where the command is too long for one argument, or holds a NUL
 */
export function wrapCommand(command: string): WrappedCommand {
  if (command.includes("\0")) throw new RangeError("A command cannot hold the character NUL");
  const bytes = Buffer.byteLength(command);
  if (bytes > LONGEST_COMMAND) {
    throw new RangeError(`A command of ${bytes} bytes is too long: send it on standard input`);
  }
  const escaped = escape(command);
  const line = escaped === command
    ? `exec sh -c '${command}'`
    : `exec sh -c 'exec sh -c "$(printf %b "$1")"' sh '${escaped}'`;
  if (Buffer.byteLength(line) <= LONGEST_LINE) return { line };
  return {
    line: `exec sh -c 'IFS= read -r c; exec sh -c "$(printf %b "$c")"'`,
    input: Buffer.from(`${escaped}\n`),
  };
}

/** As `printf %b` reads it: a backslash, a zero and three octal digits. */
function escape(command: string): string {
  return command.replace(
    /[\\'!\n\r]/g,
    (found) => `\\0${found.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}
