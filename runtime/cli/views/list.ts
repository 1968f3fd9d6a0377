import type { Variant } from "../../variants/variant.ts";
import type { Palette } from "./palette.ts";
import { sanitiseLine } from "./sanitise.ts";

/** The variants of a file, a line each: id, description. */
export function listText(variants: readonly Variant[], palette: Palette): string {
  return variants.map(({ id, description }) => {
    const what = description === "" ? "" : `: ${sanitiseLine(description)}`;
    return `${palette.bold(sanitiseLine(id))}${what}\n`;
  }).join("");
}

/** What a program gets to know of the variants of a file: all but the patch. */
export function listData(variants: readonly Variant[]): object[] {
  return variants.map(({ patch: _patch, patchEncoding: _encoding, ...rest }) => rest);
}
