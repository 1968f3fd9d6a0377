import { classifyNetwork } from "./classify-network.ts";
import type { FaultClass } from "./fault-class.ts";

const PASSING_STATUSES = [408, 425, 429];
const PASSING_CLOSES = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014];

/** What a WebSocket's address answered in place of 101. */
export function classifyStatus(status: number, retryAfterMs?: number): FaultClass {
  const kind = PASSING_STATUSES.includes(status) || status >= 500
    ? "reconnect"
    : status === 404
    ? "while-booting"
    : "never";
  const found: FaultClass = { fault: "tunnel-status", kind, detail: status };
  return retryAfterMs === undefined ? found : { ...found, retryAfterMs };
}

/** What the close code of an open WebSocket says (RFC 6455 §7.4). */
export function classifyClose(code: number): FaultClass {
  const kind = PASSING_CLOSES.includes(code) ? "reconnect" : "never";
  return { fault: "tunnel-closed", kind, detail: code };
}

/** How far the dial of a WebSocket had come. */
export type TunnelPhase = "connecting" | "tls" | "upgrading";

/** What failed before the WebSocket was open, by the phase and `code`. */
export function classifyTunnel(phase: TunnelPhase, error: unknown): FaultClass {
  const network = classifyNetwork(error);
  if (network !== undefined) return network;
  const { code } = error as { readonly code?: unknown };
  const detail = typeof code === "string" ? { detail: code } : {};
  if (phase === "tls") return { fault: "tls", kind: "never", ...detail };
  if (phase === "connecting") return { fault: "closed-early", kind: "reconnect", ...detail };
  return { fault: "bad-response", kind: "never", ...detail };
}
