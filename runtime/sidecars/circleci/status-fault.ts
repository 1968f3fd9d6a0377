import type { SidecanaryError } from "../../errors.ts";
import type { HostFault, HostFaultKind } from "../../host-fault.ts";
import { hostFailed } from "../host-failed.ts";
import type { HttpAnswer } from "./exchange.ts";
import { serverMessage, toldByText } from "./server-message.ts";

/** What is needed to say what a status means. */
export interface StatusContext {
  /** What was being done, the beginning of the message. */
  readonly what: string;
  /** The sidecar or the server, for messages. */
  readonly host: string;
  /** Who answers: "CircleCI". */
  readonly service: string;
  /** Where the token came from: "CIRCLE_TOKEN". */
  readonly tokenSource: string;
  /** Never shown: an answer that repeats it has it taken out. */
  readonly token: string;
  /** Whether the call is about one sidecar, so that 404 means that it is gone. */
  readonly instance: boolean;
  /** What `Retry-After` said, in ms. */
  readonly retryAfterMs: number | undefined;
}

type Meaning = readonly [fault: HostFault, kind: HostFaultKind, hint: string];

/**
 * What an answer's status means; `undefined` for 2xx. A sidecar that is gone, paused or too old is of
 * kind `reconnect`: dialling it again does not help, and another one in its place does.
 */
export function statusFault(
  { status, body }: HttpAnswer,
  context: StatusContext,
): SidecanaryError<"host-failed"> | undefined {
  if (status >= 200 && status < 300) return undefined;
  const { what, host, service, token, retryAfterMs } = context;
  const message = serverMessage(body);
  const told = toldByText(status, message);
  const [fault, kind, hint] = meaning(status, told, context);
  const text = message === undefined ? "" : `: ${message.replaceAll(token, "[token]")}`;
  return hostFailed(`${what} failed: ${service} answered ${status}${text}. ${hint}`, {
    host,
    fault,
    kind,
    detail: told ?? status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function meaning(
  status: number,
  told: ReturnType<typeof toldByText>,
  { service, tokenSource, instance, retryAfterMs }: StatusContext,
): Meaning {
  if (told === "route-not-found") {
    return [
      "client-outdated",
      "never",
      `${service} has no such address: the base URL is another server's, or the API and this ` +
      "version of sidecanary do not fit each other",
    ];
  }
  if (told === "paused") {
    return ["paused", "reconnect", "It was idle and nothing wakes it: it must be replaced"];
  }
  if (told === "sidecar-outdated") {
    return ["outdated", "reconnect", "It is too old for the API: it must be replaced"];
  }
  if (status === 401 || status === 403) {
    return ["unauthorised", "never", `Check the token of ${tokenSource}, and what it may do`];
  }
  if (status === 404) {
    return instance
      ? ["not-found", "reconnect", "The sidecar is gone"]
      : ["not-found", "never", "Check the ids"];
  }
  if (status === 410) {
    return ["client-outdated", "never", "This version of sidecanary is too old for the API"];
  }
  if (status === 429) {
    const wait = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1000)} s`;
    return ["rate-limited", "reconnect", `Too many requests: try again ${wait}`];
  }
  if (status === 501) return ["server-error", "never", "It cannot do this"];
  if (status >= 500 || status === 408 || status === 425) {
    return ["server-error", "reconnect", "Try again later"];
  }
  if (status >= 300 && status < 400) {
    return ["bad-response", "never", "It sends us elsewhere: check the base URL"];
  }
  return status >= 400
    ? ["bad-request", "never", "It does not take the request"]
    : ["bad-response", "never", "It does not speak the API"];
}
