import { SidecanaryError } from "../errors.ts";
import type { Assignment } from "./assignment.ts";
import { murmur3 } from "./murmur3.ts";
import type { StreamSnapshot } from "./stream-snapshot.ts";

/** What a caller may insist on. Either keeps the unit out of the test. */
export type RouteOptions =
  /** This very version, live or not, as in `planner@v3`. Whether it exists is not looked up here. */
  | { readonly pin: string; readonly override?: undefined }
  /** This arm. Without a canary it is the current version. */
  | { readonly override: "canary" | "current"; readonly pin?: undefined };

/**
 * Which version `unit` gets. Synchronous; nothing is read and nothing is written.
 *
 * The hash of the unit with the trial's seed is compared with one threshold, so a unit keeps its
 * arm, and a unit that is in at 5 % is still in at 20 %. Equal units get equal answers for as long
 * as the snapshot's canary and share are the same.
 *
 * @param snapshot of `streamSnapshot`
 * @param unit who is to keep the same version: a user, a pull request, a run; not empty
 * @throws {SidecanaryError} `input-invalid` when the unit is empty
 */
export function route(snapshot: StreamSnapshot, unit: string, options?: RouteOptions): Assignment {
  if (unit === "") throw noUnit(snapshot.stream);
  const { canary, current } = snapshot;
  if (options !== undefined) return forced(snapshot, unit, options);
  if (canary === null) {
    return {
      stream: snapshot.stream,
      unit,
      version: current,
      arm: "current",
      reason: "no-canary",
      candidate: null,
      trial: null,
      step: null,
      propensity: null,
      revision: snapshot.revision,
    };
  }
  const isCanary = murmur3(unit, canary.seed) < canary.threshold;
  return {
    stream: snapshot.stream,
    unit,
    version: isCanary ? canary.version : current,
    arm: isCanary ? "canary" : "current",
    reason: "split",
    candidate: canary.version,
    trial: canary.trial,
    step: canary.step,
    propensity: canary.propensity,
    revision: snapshot.revision,
  };
}

function forced(snapshot: StreamSnapshot, unit: string, options: RouteOptions): Assignment {
  const { stream, canary, current, revision } = snapshot;
  const version = options.pin ??
    (options.override === "canary" ? canary?.version ?? current : current);
  return {
    stream,
    unit,
    version,
    arm: version === current ? "current" : version === canary?.version ? "canary" : "other",
    reason: options.pin === undefined ? "override" : "pin",
    candidate: canary?.version ?? null,
    trial: canary?.trial ?? null,
    step: canary?.step ?? null,
    propensity: null,
    revision,
  };
}

function noUnit(stream: string): SidecanaryError {
  return new SidecanaryError(
    "input-invalid",
    `Cannot route stream "${stream}": the unit is empty, so all who have none would get one arm. ` +
      "Give the id of the user, the pull request or the run.",
    { source: `stream ${stream}`, field: "unit" },
  );
}
