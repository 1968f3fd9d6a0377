/**
 * What went wrong between us and a host, told by types and codes, never by the text of a message.
 * One entry is one row, or several rows alike, of the table of observed faults.
 */
export type HostFault =
  /** The address: nothing listens, no such name, no route. */
  | "refused"
  | "unresolved"
  | "resolver-down"
  | "unreachable"
  | "bad-local-address"
  /** The connection: no answer in time, ended or reset before or after it was up, frozen. */
  | "dial-timeout"
  | "closed-early"
  | "closed"
  | "reset"
  | "frozen"
  /** The other side speaks something else. */
  | "not-ssh"
  | "no-common-algorithm"
  | "protocol"
  /** Trust. */
  | "host-key-unknown"
  | "host-key-changed"
  | "host-key-revoked"
  | "tls"
  /** Who we are. */
  | "authentication"
  | "too-many-authentications"
  | "bad-key"
  | "no-agent"
  | "unauthorised"
  /** Channels of a connection that stands. */
  | "channel-limit"
  | "channel-prohibited"
  | "request-refused"
  | "disconnected"
  /** The WebSocket or HTTP in front. */
  | "tunnel-status"
  | "tunnel-closed"
  | "bad-frame"
  | "rate-limited"
  | "server-error"
  | "bad-response"
  | "bad-request"
  /** The machine. */
  | "not-found"
  | "gone"
  | "paused"
  | "outdated"
  | "client-outdated"
  | "starting"
  | "missing-tools"
  | "limit-reached"
  | "sandbox-refused"
  | "config";

/**
 * What helps. `while-booting`: wait, as long as the host is coming up; later it counts as
 * `reconnect`. `reconnect`: dial again, and replace the host if that does not help.
 * `same-connection`: wait and repeat on the same connection. `never`: nothing; tell the user.
 */
export type HostFaultKind = "while-booting" | "reconnect" | "same-connection" | "never";

/** What a `host-failed` error says beside its message. */
export interface HostFaultDetails {
  /** For people; holds no secret. */
  readonly host: string;
  readonly fault: HostFault;
  readonly kind: HostFaultKind;
  /** An HTTP status, a WebSocket close code, an errno, an SSH reason: what told it. */
  readonly detail?: string | number;
  /** The shortest wait before another try, in ms. */
  readonly retryAfterMs?: number;
}
