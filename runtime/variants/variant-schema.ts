import * as v from "valibot";

/** How long an id may be, in UTF-16 code units. */
const LONGEST_ID = 256;

const text = v.string("must be a string");

/** One entry of a variants file. Fields that are not named here are ignored, as chunk does. */
export const variantSchema = v.object({
  id: v.pipe(
    text,
    v.minLength(1, "must not be empty"),
    v.check((id) => id.trim() !== "", "must not be empty"),
    v.maxLength(LONGEST_ID, `must not be longer than ${LONGEST_ID} characters`),
    v.regex(
      // deno-lint-ignore no-control-regex
      /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/,
      "must not hold control characters",
    ),
    v.check((id) => !/\p{Surrogate}/u.test(id), "must not hold half a surrogate pair"),
    v.description("Names the variant in the report; unique in its file"),
  ),
  description: v.pipe(v.optional(text, ""), v.description("Says what the change is, for people")),
  patch: v.pipe(
    v.string("must be a string, the text of a diff"),
    v.description("The change, a diff as git writes it"),
  ),
  patchEncoding: v.exactOptional(v.pipe(
    v.picklist(["utf8", "latin1"], 'must be "utf8" or "latin1"'),
    v.description("How the characters of the patch stand for its bytes; utf8 where not given"),
  )),
  category: v.exactOptional(v.pipe(text, v.description("A group to score by"))),
  timeout: v.exactOptional(v.pipe(
    v.number("must be a number of seconds"),
    v.gtValue(0, "must be more than 0 seconds"),
    v.maxValue(86_400, "must not be more than a day, 86400 seconds"),
    v.description("The budget of each command, in seconds"),
  )),
  tags: v.exactOptional(v.pipe(
    v.array(text, "must be an array of strings"),
    v.description("Free labels, echoed in the report"),
  )),
});

/** A variants file as a whole: chunk's array. */
export const variantsSchema = v.pipe(
  v.array(variantSchema),
  v.title("Variants"),
  v.description("The changes that sidecanary tries, one after the other"),
);
