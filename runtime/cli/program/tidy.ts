import { InvalidArgumentError } from "commander";

/** A parser of ours as commander likes it. */
export function tidy<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/** Refuses what cannot be parsed, and keeps the text: what it means depends on more. */
export function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    tidy(parse)(text);
    return text;
  };
}

/** Collects the texts of an option that may be given again. */
export function texts(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
