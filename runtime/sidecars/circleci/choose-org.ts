import { SidecanaryError } from "../../errors.ts";
import type { SidecarApi } from "./sidecar-api.ts";

/**
 * The organisation that sidecars are made in: the one that is given, else the only one that the
 * token's owner works in. Nobody is asked.
 *
 * @throws SidecanaryError `usage` where there is none or a choice, which it lists
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function chooseOrg(
  api: SidecarApi,
  given: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (given !== undefined) return given;
  const found = await api.collaborations(signal);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only.id;
  const message = only === undefined
    ? `The owner of the token works in no organisation of ${api.service}: give --org-id`
    : `The owner of the token works in ${found.length} organisations: give --org-id or set ` +
      `CIRCLECI_ORG_ID to one of\n${
        found.map(({ id, name, slug }) => `  ${id}  ${name}${slug ? ` (${slug})` : ""}`).join("\n")
      }`;
  throw new SidecanaryError("usage", message, { option: "--org-id" });
}
