/** What `docker:IMAGE?…` says. */
export interface ContainerTarget {
  readonly kind: "docker";
  readonly image: string;
  /** How many sandboxes at a time; as many as the caller thinks right where it is not said. */
  readonly lanes?: number;
  /** `none`, `bridge`, or the name of a network; the service's default where it is not said. */
  readonly network?: string;
  /** In bytes; no limit where it is not said. */
  readonly memory?: number;
  /** A number of processors, fractions allowed; no limit where it is not said. */
  readonly cpus?: number;
}

// The grammar of image references:
// https://pkg.go.dev/github.com/distribution/reference, name [":" tag] ["@" digest].
const LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const TAG = "[\\w][\\w.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const IMAGE = new RegExp(
  `^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::${TAG})?(?:@${DIGEST})?$`,
);
const NETWORK = /^[a-zA-Z0-9][\w.-]*$/;
const UNITS = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/**
 * Reads `docker:IMAGE?lanes=N&network=none&memory=2g&cpus=1.5`: the image as `docker run` takes it
 * (registry with port, tag, digest), every setting at most once.
 *
 * @throws RangeError that names what is wrong
 */
export function parseContainerTarget(text: string): ContainerTarget {
  const refuse = (why: string) => new RangeError(`"${text}" is no container target: ${why}`);
  if (!text.startsWith("docker:")) throw refuse("it is written docker:IMAGE");
  const [image = "", ...queries] = text.slice("docker:".length).split("?");
  if (queries.length > 1) throw refuse("there is more than one question mark");
  if (!IMAGE.test(image) || image.length > 512) {
    throw refuse(
      `"${image}" is no name of an image, such as debian:12 or ghcr.io/me/tests@sha256:…`,
    );
  }
  const settings = new URLSearchParams(queries[0] ?? "");
  const seen = new Set<string>();
  let target: ContainerTarget = { kind: "docker", image };
  for (const [name, value] of settings) {
    if (seen.has(name)) throw refuse(`${name} is set twice`);
    seen.add(name);
    switch (name) {
      case "lanes":
        if (!/^[1-9][0-9]{0,3}$/.test(value)) throw refuse("lanes is a whole number from 1 on");
        target = { ...target, lanes: Number(value) };
        break;
      case "network":
        if (!NETWORK.test(value)) throw refuse("network is none, bridge, or a network's name");
        target = { ...target, network: value };
        break;
      case "memory": {
        const memory = bytesOf(value);
        if (memory === undefined) throw refuse("memory is a size from 6m on, such as 512m or 2g");
        target = { ...target, memory };
        break;
      }
      case "cpus": {
        if (!/^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(value) || Number(value) < 0.01) {
          throw refuse("cpus is a number from 0.01 on");
        }
        target = { ...target, cpus: Number(value) };
        break;
      }
      default:
        throw refuse(`it knows lanes, network, memory and cpus, not "${name}"`);
    }
  }
  return target;
}

/** Docker refuses a limit below 6 MiB. */
function bytesOf(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]{1,15})([bkmg]?)$/i.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const bytes = Number(digits) * UNITS[unit.toLowerCase() as keyof typeof UNITS];
  return bytes >= 6 * UNITS.m && Number.isSafeInteger(bytes) ? bytes : undefined;
}
