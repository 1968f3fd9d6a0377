import type { SidecanaryError } from "../../errors.ts";
import type { HostFault, HostFaultKind } from "../../host-fault.ts";
import { hostFailed } from "../host-failed.ts";

type Verdict = readonly [HostFault, HostFaultKind];

const BY_ERRNO: Readonly<Record<string, Verdict>> = {
  ENOENT: ["refused", "reconnect"],
  ECONNREFUSED: ["refused", "reconnect"],
  ENOTFOUND: ["unresolved", "while-booting"],
  EAI_AGAIN: ["resolver-down", "reconnect"],
  EHOSTUNREACH: ["unreachable", "reconnect"],
  ENETUNREACH: ["unreachable", "reconnect"],
  ETIMEDOUT: ["dial-timeout", "reconnect"],
  ECONNRESET: ["reset", "reconnect"],
  EPIPE: ["closed", "reconnect"],
  EACCES: ["unauthorised", "never"],
  EPERM: ["unauthorised", "never"],
  EPROTO: ["tls", "never"],
};

const BY_STATUS: Readonly<Record<number, Verdict>> = {
  200: ["protocol", "never"],
  400: ["bad-request", "never"],
  401: ["unauthorised", "never"],
  403: ["unauthorised", "never"],
  404: ["not-found", "never"],
  408: ["server-error", "reconnect"],
  429: ["rate-limited", "while-booting"],
};

/**
 * The fault of a connection to a container service that failed.
 *
 * @param service the address of the service, for people
 * @param during what was done: "listing containers"
 */
export function connectionFault(
  service: string,
  during: string,
  error: unknown,
): SidecanaryError<"host-failed"> {
  const code = errnoOf(error);
  const [fault, kind] = verdictOf(code);
  const advice = fault === "unauthorised"
    ? `; this user may not open it: join its group (sudo usermod -aG docker "$USER", then log in ` +
      "anew), or set DOCKER_HOST to a service of this user's own"
    : "";
  const said = error instanceof Error ? error.message : String(error);
  return hostFailed(
    `The container service at ${service} was lost while ${during}: ${said}${advice}`,
    { host: service, fault, kind, ...(code === undefined ? {} : { detail: code }) },
    error,
  );
}

/** The fault of an answer with a status that is none of those expected. */
export function statusFault(
  service: string,
  during: string,
  status: number,
  said: string,
): SidecanaryError<"host-failed"> {
  const [fault, kind] = BY_STATUS[status] ??
    (status >= 500 ? ["server-error", "reconnect"] : ["bad-response", "never"]);
  return hostFailed(
    `The container service at ${service} answered ${status} while ${during}: ${said}`,
    { host: service, fault, kind, detail: status },
  );
}

/** The `code` of an error of Node's, where it has one. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function verdictOf(code: string | undefined): Verdict {
  if (code === undefined) return ["closed", "reconnect"];
  const known = BY_ERRNO[code];
  if (known !== undefined) return known;
  if (/^ERR_(TLS|SSL)_|CERT/.test(code)) return ["tls", "never"];
  if (code.startsWith("HPE_")) return ["protocol", "never"];
  return ["closed", "reconnect"];
}
