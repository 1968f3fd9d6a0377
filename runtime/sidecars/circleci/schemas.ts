import * as v from "valibot";

/** Goes into the path of a request, where dots alone would mean another path. */
const id = v.pipe(v.string(), v.regex(/^(?!\.{1,2}$)./));
const org = v.optional(v.object({ org: v.optional(v.object({ id: v.string() })) }));

/** A sidecar, as creating and listing answer it. */
const instance = v.object({
  id,
  attributes: v.object({
    name: v.string(),
    image: v.nullish(v.string()),
    host_key: v.nullish(v.string()),
  }),
  references: org,
});

const snapshot = v.object({
  id,
  attributes: v.object({
    name: v.string(),
    tag: v.nullish(v.string()),
    is_system: v.nullish(v.boolean()),
  }),
});

/** `GET instances` */
export const instancesSchema = v.object({ data: v.array(instance) });

/** `POST instances` */
export const instanceSchema = v.object({ data: instance });

/** `POST instances/:id/ssh/add-key` */
export const keyAddedSchema = v.object({
  data: v.object({
    attributes: v.object({
      url: v.pipe(v.string(), v.minLength(1)),
      host_key: v.nullish(v.string()),
    }),
  }),
});

/** `POST snapshots`, `GET snapshots/:id` */
export const snapshotSchema = v.object({ data: snapshot });

/** `GET snapshots` */
export const snapshotsSchema = v.object({ data: v.array(snapshot) });

/** `GET me` */
export const meSchema = v.object({ id: v.string(), name: v.nullish(v.string()) });

/** `GET me/collaborations`. The name of the last field is written in both ways. */
export const collaborationsSchema = v.array(v.object({
  id: v.string(),
  name: v.string(),
  slug: v.nullish(v.string()),
  "vcs-type": v.nullish(v.string()),
  vcs_type: v.nullish(v.string()),
}));
