import type { CampaignRequest } from "../../variants/campaign-request.ts";

/** What `--sidecar` takes. */
export const SIDECARS = ["local", "local:overlay", "local:reflink", "local:copy"] as const;

/**
 * The isolation that `local`, `local:overlay`, `local:reflink` or `local:copy` asks for.
 *
 * @throws RangeError when it is none of these
 */
export function parseSidecar(text: string): CampaignRequest["isolation"] {
  switch (text) {
    case "local":
      return "auto";
    case "local:overlay":
      return "overlay";
    case "local:reflink":
      return "reflink";
    case "local:copy":
      return "copy";
    default:
      throw new RangeError(`"${text}" is no sidecar of this version: give ${SIDECARS.join(", ")}`);
  }
}
