import type { FaultClass } from "./fault-class.ts";

/** What a channel is opened for: the same reason means different things. */
export type ChannelUse = "session" | "forward";

const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;
const UNKNOWN_CHANNEL_TYPE = 3;
const RESOURCE_SHORTAGE = 4;

/**
 * Why a channel was not opened on a connection that stands, by the `reason` of
 * SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1). OpenSSH says 2 where `MaxSessions` is reached.
 */
export function classifyChannel(use: ChannelUse, error: unknown): FaultClass {
  const { reason } = error as { readonly reason?: unknown };
  switch (reason) {
    case CONNECT_FAILED:
      return use === "session"
        ? { fault: "channel-limit", kind: "same-connection", detail: reason }
        : { fault: "refused", kind: "while-booting", detail: reason };
    case RESOURCE_SHORTAGE:
      return { fault: "channel-limit", kind: "same-connection", detail: reason };
    case ADMINISTRATIVELY_PROHIBITED:
    case UNKNOWN_CHANNEL_TYPE:
      return { fault: "channel-prohibited", kind: "never", detail: reason };
    case "":
      return { fault: "closed", kind: "reconnect" };
  }
  if (typeof reason === "number") {
    return { fault: "channel-prohibited", kind: "never", detail: reason };
  }
  return { fault: "request-refused", kind: "never" };
}
