import type { CliIo, OutputStream } from "../io.ts";

/** Colours that a view may use; each answers its text as it is where there are none. */
export interface Palette {
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

/** Colours for a stream: `NO_COLOR` first, then `FORCE_COLOR`, then whether it is a terminal. */
export function paletteFor(stream: OutputStream, env: CliIo["env"]): Palette {
  const style = (code: number, end: number) => (text: string): string =>
    coloured ? `\u001b[${code}m${text}\u001b[${end}m` : text;
  const coloured = wantsColour(stream, env);
  return {
    red: style(31, 39),
    yellow: style(33, 39),
    green: style(32, 39),
    bold: style(1, 22),
    dim: style(2, 22),
  };
}

function wantsColour(stream: OutputStream, env: CliIo["env"]): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined) return !["0", "false"].includes(FORCE_COLOR);
  return stream.isTTY === true && TERM !== "dumb";
}
