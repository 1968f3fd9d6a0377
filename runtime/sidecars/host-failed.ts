import type { Failure } from "../../machines/failure.ts";
import { isSidecanaryError, SidecanaryError } from "../errors.ts";
import type { HostFaultDetails, HostFaultKind } from "../host-fault.ts";

/** The error for a fault. */
export function hostFailed(
  message: string,
  details: HostFaultDetails,
  cause?: unknown,
): SidecanaryError<"host-failed"> {
  return new SidecanaryError("host-failed", message, details, cause);
}

/** A failure while a host is coming up: everything that waiting can mend is transient. */
export function bootFailure(error: unknown): Failure {
  return failureFrom(error, (kind) => kind === "never" ? "permanent" : "transient");
}

/**
 * A failure of work on a host that has been up: a lost connection is transient, as it can be dialled
 * again; what never helps means that this host is lost.
 */
export function workFailure(error: unknown): Failure {
  return failureFrom(error, (kind) => kind === "never" ? "sidecar-lost" : "transient");
}

function failureFrom(
  error: unknown,
  classOf: (kind: HostFaultKind) => Failure["class"],
): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (!isSidecanaryError(error, "host-failed")) {
    const code = isSidecanaryError(error) ? error.code : "unexpected";
    return { code, message, class: "permanent" };
  }
  const { fault, kind, retryAfterMs } = error.details;
  const failure = { code: fault, message, class: classOf(kind) };
  return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs };
}
