/** commander's message in one line, with where to look. */
export function errorLine(text: string): string {
  const line = text.trim().replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  // commander does not know that the number was meant for the option before it.
  const hint = line.startsWith("too many arguments for 'variants'")
    ? "a number of survivors is given as --fail-fast=3; "
    : "";
  const invalid = /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '[^]*?' is invalid\. ([^]*)$/.exec(
    line,
  );
  return invalid === null
    ? `sidecanary: ${line} (${hint}sidecanary --help lists commands and options)\n`
    : `sidecanary: ${invalid[1]}: ${invalid[2]}\n`;
}
