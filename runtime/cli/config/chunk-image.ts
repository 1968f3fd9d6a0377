import * as v from "valibot";
import { SidecanaryError } from "../../errors.ts";
import { findUp } from "./find-up.ts";
import { readJson } from "./read-json.ts";

const schema = v.object({
  validation: v.optional(v.object({ sidecarImage: v.optional(v.string()) })),
});

/**
 * The image that the nearest `.chunk/config.json` names for CircleCI's sidecars, where it names one:
 * chunk makes a sidecar of it by itself.
 *
 * @throws SidecanaryError `config-invalid` where the file cannot be read, or holds something else there
 */
export function chunkImage(cwd: string): string | undefined {
  const path = findUp(cwd, ".chunk/config.json");
  if (path === undefined) return undefined;
  const result = v.safeParse(schema, readJson(path));
  if (!result.success) {
    const field = "validation.sidecarImage";
    throw new SidecanaryError("config-invalid", `${path}: ${field} must be a text`, {
      path,
      field,
    });
  }
  return result.output.validation?.sidecarImage || undefined;
}
