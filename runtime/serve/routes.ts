/** What a path asks for. */
export type RouteKind = "instances" | "instance" | "add-key" | "unsupported" | "tunnel";

/** A path that is served. */
export interface RouteMatch {
  readonly kind: RouteKind;
  /** Beside HEAD and OPTIONS. */
  readonly methods: readonly string[];
  /** The instance's; empty where the path has none. */
  readonly id: string;
  readonly query: URLSearchParams;
}

const ID = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})";
const API = "/api/v3/sidecar";

const ROUTES: readonly (readonly [RouteKind, RegExp, readonly string[]])[] = [
  ["instances", new RegExp(`^${API}/instances$`), ["GET", "POST"]],
  ["instance", new RegExp(`^${API}/instances/${ID}$`), ["DELETE"]],
  ["add-key", new RegExp(`^${API}/instances/${ID}/ssh/add-key$`), ["POST"]],
  ["unsupported", new RegExp(`^${API}/instances/${ID}/exec$`), ["POST"]],
  ["unsupported", new RegExp(`^${API}/commands/[\\w-]+(?:/output)?$`), ["GET"]],
  ["unsupported", new RegExp(`^${API}/snapshots$`), ["GET", "POST"]],
  ["unsupported", new RegExp(`^${API}/snapshots/[\\w-]+$`), ["GET"]],
  ["tunnel", new RegExp(`^/i/${ID}/ssh/tunnel$`), ["GET"]],
];

/**
 * The route of a request's target, as it came: nothing is decoded or normalised, so nothing but these
 * very characters is a path.
 */
export function matchRoute(target: string): RouteMatch | undefined {
  const cut = target.indexOf("?");
  const path = cut < 0 ? target : target.slice(0, cut);
  for (const [kind, pattern, methods] of ROUTES) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const query = new URLSearchParams(cut < 0 ? "" : target.slice(cut + 1));
    return { kind, methods, id: match[1] ?? "", query };
  }
  return undefined;
}
