/**
 * The name and the value of `NAME=VALUE`; the value may hold `=`.
 *
 * @throws RangeError without `=`, and for what is no name of a variable
 */
export function parseVariable(text: string): readonly [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined || value.includes("\0")) {
    // The value may be a secret.
    throw new RangeError(`"${text.split("=")[0]}" is no variable: give NAME=VALUE`);
  }
  return [name, value];
}
