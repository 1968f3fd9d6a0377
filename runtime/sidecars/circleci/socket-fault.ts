import { isSidecanaryError, type SidecanaryError } from "../../errors.ts";
import { classifyNetwork } from "../../ssh/classify-network.ts";
import type { FaultClass } from "../../ssh/fault-class.ts";
import { hostFailed } from "../host-failed.ts";

/** Codes of TLS and of certificates, which have no common prefix. */
const TLS =
  /^(EPROTO$|ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH$|INVALID_CA$)/;

/**
 * What a failed HTTP exchange means, by the code of its error. An error without a known code is a
 * connection that ended too early.
 *
 * @param what what was being done, the beginning of the message
 * @param host with the port where one was given
 */
export function socketFault(
  error: unknown,
  what: string,
  host: string,
): SidecanaryError<"host-failed"> {
  if (isSidecanaryError(error, "host-failed")) return error;
  const found = classifyNetwork(error) ?? byCode(error);
  const detail = found.detail ?? "the connection ended";
  return hostFailed(`${what} failed: no answer from ${host}: ${detail}`, { host, ...found }, error);
}

function byCode(error: unknown): FaultClass {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (typeof code !== "string") return { fault: "closed-early", kind: "reconnect" };
  if (TLS.test(code)) return { fault: "tls", kind: "never", detail: code };
  // The parser of HTTP: what came is something else.
  if (code.startsWith("HPE_")) return { fault: "bad-response", kind: "never", detail: code };
  return { fault: "closed-early", kind: "reconnect", detail: code };
}
