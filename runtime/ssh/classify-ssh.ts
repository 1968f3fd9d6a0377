import { classifyNetwork } from "./classify-network.ts";
import type { FaultClass } from "./fault-class.ts";

/** How far an SSH connection had come, and what ended it. */
export interface SshFailure {
  readonly phase: "handshake" | "authentication" | "ready";
  /** Whether a single byte came. */
  readonly heard: boolean;
  /** Whether the agent that holds the key could not be asked. */
  readonly agentFailed: boolean;
  /** What ssh2 emitted first; `undefined` where the connection closed without a word. */
  readonly error: unknown;
}

/**
 * How long to wait after a key was refused, in ms: whoever fails to log in again and again is banned
 * (`PerSourcePenalties`, since OpenSSH 9.8).
 */
export const AUTHENTICATION_PAUSE_MS = 6_000;

/** The reasons of SSH_MSG_DISCONNECT (RFC 4253 §11.1) that another connection may not meet. */
const PASSING_REASONS = [7, 10, 11, 12];
const PROTOCOL_ERROR = 2;

/**
 * What ended an SSH connection, by our own flags, and by `level` and `code` of ssh2's error. A
 * rejected host key, a deadline and an abort are not ssh2's to tell: whoever decided them knows.
 */
export function classifySsh({ phase, heard, agentFailed, error }: SshFailure): FaultClass {
  const ready = phase === "ready";
  if (error === undefined) {
    return ready
      ? { fault: "closed", kind: "reconnect" }
      : { fault: "closed-early", kind: "while-booting" };
  }
  const { level, code } = error as { readonly level?: unknown; readonly code?: unknown };
  switch (level) {
    case "client-socket":
      return classifySocket(error);
    case "client-timeout":
      return { fault: ready ? "frozen" : "dial-timeout", kind: "reconnect" };
    case "client-authentication":
      return agentFailed ? { fault: "no-agent", kind: "never" } : {
        fault: "authentication",
        kind: "while-booting",
        retryAfterMs: AUTHENTICATION_PAUSE_MS,
      };
    case "handshake":
      return { fault: "no-common-algorithm", kind: "never" };
    case "protocol":
      if (ready) return { fault: "protocol", kind: "reconnect" };
      return { fault: heard ? "not-ssh" : "closed-early", kind: "while-booting" };
  }
  if (typeof code === "number") return classifyDisconnect(phase, code);
  return ready ? { fault: "protocol", kind: "reconnect" } : { fault: "not-ssh", kind: "never" };
}

function classifySocket(error: unknown): FaultClass {
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string" && code.startsWith("WS_ERR_")) {
    return { fault: "bad-frame", kind: "never", detail: code };
  }
  return classifyNetwork(error) ??
    { fault: "closed", kind: "reconnect", ...(typeof code === "string" ? { detail: code } : {}) };
}

function classifyDisconnect(phase: SshFailure["phase"], reason: number): FaultClass {
  // OpenSSH's number for it; there is none of its own.
  if (phase === "authentication" && reason === PROTOCOL_ERROR) {
    return { fault: "too-many-authentications", kind: "never", detail: reason };
  }
  const kind = PASSING_REASONS.includes(reason) ? "reconnect" : "never";
  return { fault: "disconnected", kind, detail: reason };
}
