/** Less than `MAX_ARG_STRLEN` of Linux, which holds for what the login shell is given. */
const LONGEST_LINE = 131_000;

/**
 * The line for a login shell, whichever it is, that runs `command` by POSIX `sh`.
 *
 * Shells differ in what they make of a backslash (fish), an exclamation mark or a newline (csh)
 * between single quotes. A command that has one of them is sent escaped, and unpacked by `sh`.
 *
 * @throws RangeError where the command is too long for one argument, or holds a NUL
 */
export function wrapCommand(command: string): string {
  if (command.includes("\0")) throw new RangeError("A command cannot hold the character NUL");
  const escaped = `exec sh -c 'exec sh -c "$(printf %b "$1")"' sh '${escape(command)}'`;
  if (!/[\\'!\n\r]/.test(command)) return checked(`exec sh -c '${command}'`);
  if (Buffer.byteLength(escaped) <= LONGEST_LINE && !command.endsWith("\n")) return escaped;
  return checked(`exec sh -c '${command.replaceAll("'", "'\\''")}'`);
}

/** As `printf %b` reads it: a backslash, a zero and three octal digits. */
function escape(command: string): string {
  return command.replace(
    /[\\'!\n\r]/g,
    (found) => `\\0${found.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

function checked(line: string): string {
  const bytes = Buffer.byteLength(line);
  if (bytes <= LONGEST_LINE) return line;
  throw new RangeError(`A command of ${bytes} bytes is too long: send it on standard input`);
}
