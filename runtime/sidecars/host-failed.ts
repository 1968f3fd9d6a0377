import type { Failure } from "../../machines/failure.ts";
import { isSidecanaryError, SidecanaryError } from "../errors.ts";
import type { HostFault, HostFaultDetails, HostFaultKind } from "../host-fault.ts";

/** The error for a fault. */
export function hostFailed(
  message: string,
  details: HostFaultDetails,
  cause?: unknown,
): SidecanaryError<"host-failed"> {
  return new SidecanaryError("host-failed", message, details, cause);
}

/** What another host in its place helps against, and dialling again does not. */
const DEAD: ReadonlySet<HostFault> = new Set<HostFault>([
  "gone",
  "not-found",
  "paused",
  "outdated",
]);

/**
 * A failure while a host is coming up, or is brought the payload. What nothing helps against is
 * permanent, a host that has gone again is lost, and everything else may be over the next time.
 */
export function bootFailure(error: unknown): Failure {
  return failureFrom(error, (kind, fault) => {
    // What was not found for ever is an id that somebody gave us; a host that is gone can be replaced.
    if (kind === "never") return fault === "gone" ? "sidecar-lost" : "permanent";
    return DEAD.has(fault) ? "sidecar-lost" : "transient";
  });
}

/**
 * A failure of work on a host that has been up: a lost connection is transient, as it can be dialled
 * again; what never helps, or only another host does, means that this host is lost.
 */
export function workFailure(error: unknown): Failure {
  return failureFrom(
    error,
    (kind, fault) => kind === "never" || DEAD.has(fault) ? "sidecar-lost" : "transient",
  );
}

function failureFrom(
  error: unknown,
  classOf: (kind: HostFaultKind, fault: HostFault) => Failure["class"],
): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (!isSidecanaryError(error, "host-failed")) {
    const code = isSidecanaryError(error) ? error.code : "unexpected";
    return { code, message, class: "permanent" };
  }
  const { fault, kind, retryAfterMs } = error.details;
  const failure = { code: fault, message, class: classOf(kind, fault) };
  return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs };
}
