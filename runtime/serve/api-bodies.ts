import * as v from "valibot";

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

/** The body of a create: https://circleci.com/docs/api's envelope with data.attributes and references. */
export const CREATE_BODY = v.object({
  data: v.object({
    attributes: v.object({
      name: v.pipe(
        v.string(),
        v.regex(/^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/, "1 to 255 printable characters"),
      ),
      image: v.optional(v.string()),
    }),
    references: v.optional(v.object({ org: v.optional(v.object({ id })) })),
  }),
});

/** The body of an add-key, which is flat. */
export const ADD_KEY_BODY = v.object({
  public_key: v.pipe(v.string(), v.minLength(1), v.maxLength(16_384)),
});
