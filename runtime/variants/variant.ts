import * as v from "valibot";

/** How long an id may be, in UTF-16 code units. */
const LONGEST_ID = 256;

const id = v.pipe(
  v.string("must be a string"),
  v.regex(/\S/, "must not be empty"),
  v.maxLength(LONGEST_ID, `must not be longer than ${LONGEST_ID} characters`),
  // deno-lint-ignore no-control-regex
  v.regex(/^[^\u0000-\u001f\u007f-\u009f\ud800-\udfff]*$/u, "must not hold control characters"),
);

/** What one entry of a variants file holds. Fields that are not named here are ignored. */
export const variantSchema = v.object({
  /** Names the variant in the report; unique in its file. */
  id: v.pipe(id, v.description("Names the variant in the report; unique in its file")),
  /** Says what the change is, for people. Empty where the file has none. */
  description: v.pipe(
    v.optional(v.nullable(v.string("must be a string")), ""),
    v.transform((text) => text ?? ""),
    v.description("Says what the change is"),
  ),
  /** The change, as `git diff` and `git apply` write and read it. */
  patch: v.pipe(
    v.string("must be a string: the text of a diff"),
    v.description("The change, a diff as git writes it"),
  ),
  /**
   * How the characters of `patch` stand for its bytes. Set by the reader for patch files that are
   * not UTF-8.
   */
  patchEncoding: v.optional(
    v.pipe(
      v.picklist(["utf8", "latin1"], 'must be "utf8" or "latin1"'),
      v.description("How the characters of the patch stand for its bytes; utf8 where not given"),
    ),
  ),
  /** A group to score by. */
  category: v.optional(
    v.pipe(v.string("must be a string"), v.description("A group to score by")),
  ),
  /** The budget of each command, in seconds. */
  timeout: v.optional(
    v.pipe(
      v.number("must be a number of seconds"),
      v.gtValue(0, "must be more than 0 seconds"),
      v.finite("must be a finite number of seconds"),
      v.description("The budget of each command, in seconds"),
    ),
  ),
  /** Free labels, echoed in the report. */
  tags: v.optional(
    v.pipe(
      v.array(v.string("must be a string"), "must be an array of strings"),
      v.description("Free labels, echoed in the report"),
    ),
  ),
});

/** One change to try. */
export interface Variant extends Readonly<v.InferOutput<typeof variantSchema>> {
  readonly tags?: string[];
}
