import { SidecanaryError } from "../errors.ts";
import type { Variant } from "../variants/variant.ts";

/**
 * The variants with these ids, in the order of the file; all of them where no id is given. A text
 * that is no id is taken for several with commas between them.
 *
 * @throws SidecanaryError `usage` naming an id that is not there, and some that are
 */
export function chooseVariants(
  variants: readonly Variant[],
  ids: readonly string[],
): readonly Variant[] {
  if (ids.length === 0) return variants;
  const known = new Set(variants.map(({ id }) => id));
  const wanted = ids.flatMap((text) =>
    known.has(text) ? [text] : text.split(",").map((id) => id.trim()).filter((id) => id !== "")
  );
  const unknown = wanted.find((id) => !known.has(id));
  if (unknown !== undefined) {
    const some = [...known].slice(0, 10).join(", ");
    const more = known.size > 10 ? ` and ${known.size - 10} more` : "";
    throw new SidecanaryError(
      "usage",
      `There is no variant "${unknown}": there is ${some === "" ? "none" : some}${more}`,
      { option: "--id" },
    );
  }
  return variants.filter(({ id }) => wanted.includes(id));
}
