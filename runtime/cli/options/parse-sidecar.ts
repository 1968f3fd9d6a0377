import type { CampaignRequest } from "../../variants/campaign-request.ts";
import { lanesOf, withoutUser } from "./lanes-of.ts";

/** Where commands run, as `--sidecar` says it. */
export type SidecarChoice =
  | { readonly kind: "local"; readonly isolation: CampaignRequest["isolation"] }
  /** Machines that the user names: `ssh://user@host`, `wss://host/ssh/tunnel`. */
  | { readonly kind: "ssh"; readonly targets: readonly string[] }
  /** Containers of an image: `docker:node:22`. */
  | { readonly kind: "docker"; readonly target: string }
  /** CircleCI's sidecars. */
  | { readonly kind: "circleci"; readonly target: string }
  /** A host that runs `sidecanary sidecar serve`. */
  | { readonly kind: "host"; readonly target: string };

const LOCAL: Readonly<Record<string, CampaignRequest["isolation"]>> = {
  "local": "auto",
  "local:overlay": "overlay",
  "local:reflink": "reflink",
  "local:copy": "copy",
};

/** What `--sidecar` takes, in words; the first ones are completed. */
export const SIDECARS = [...Object.keys(LOCAL), "circleci"] as const;

/** What {@link parseSidecars} takes, for schemas. */
export const SIDECAR_PATTERN = new RegExp(
  `^(${
    Object.keys(LOCAL).join("|")
  }|circleci(\\?\\S*)?|(ssh|ws|wss|http|https)://\\S+|docker:\\S+)$`,
);

const TAKEN = "give local, local:overlay, local:reflink, local:copy, ssh://user@host, " +
  "docker:IMAGE, circleci, or https://host of a sidecar host";

/**
 * What the values of `--sidecar` mean together: several are only taken where each is a machine of its
 * own (`ssh://`, `ws://`, `wss://`).
 *
 * @throws RangeError when one is none of these, they do not fit together, or `?lanes=` is no number;
 *   shows no user
 */
export function parseSidecars(texts: readonly string[]): SidecarChoice {
  const choices = texts.map(parseOne);
  const [first = { kind: "local", isolation: "auto" }, ...rest] = choices;
  if (rest.length === 0) return first;
  const targets = choices.flatMap((each) => each.kind === "ssh" ? each.targets : []);
  if (targets.length < choices.length) {
    throw new RangeError(
      `${texts.map(withoutUser).join(" and ")} do not go together: ` +
        "several sidecars are machines by ssh://",
    );
  }
  return { kind: "ssh", targets };
}

function parseOne(text: string): SidecarChoice {
  if (!SIDECAR_PATTERN.test(text)) {
    throw new RangeError(`"${withoutUser(text)}" is no sidecar: ${TAKEN}`);
  }
  const isolation = LOCAL[text];
  if (isolation !== undefined) return { kind: "local", isolation };
  // A mistake in it is told as one of this option.
  lanesOf(text);
  if (/^(ssh|wss?):/.test(text)) return { kind: "ssh", targets: [text] };
  if (text.startsWith("docker:")) return { kind: "docker", target: text };
  if (text.startsWith("circleci")) return { kind: "circleci", target: text };
  return { kind: "host", target: text };
}
