/** A line for `sh`: one word is a line already, several are a program and its arguments. */
export function shellLine(words: readonly string[]): string {
  const [first = "", ...rest] = words;
  return rest.length === 0 ? first : words.map(quoted).join(" ");
}

/** A word of POSIX `sh` that stands for exactly `text`. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
