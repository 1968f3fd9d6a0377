import type { FaultClass } from "./fault-class.ts";

const BY_CODE: Readonly<Record<string, FaultClass>> = {
  ECONNREFUSED: { fault: "refused", kind: "while-booting" },
  ENOENT: { fault: "refused", kind: "while-booting" },
  ENOTFOUND: { fault: "unresolved", kind: "while-booting" },
  EAI_AGAIN: { fault: "resolver-down", kind: "reconnect" },
  ENETUNREACH: { fault: "unreachable", kind: "reconnect" },
  EHOSTUNREACH: { fault: "unreachable", kind: "reconnect" },
  ENETDOWN: { fault: "unreachable", kind: "reconnect" },
  EHOSTDOWN: { fault: "unreachable", kind: "reconnect" },
  ECONNRESET: { fault: "reset", kind: "reconnect" },
  ECONNABORTED: { fault: "reset", kind: "reconnect" },
  EPIPE: { fault: "closed", kind: "reconnect" },
  EADDRNOTAVAIL: { fault: "bad-local-address", kind: "never" },
};

/**
 * What an error of the operating system or of its resolver says about a connection, by its `code`
 * and `syscall`; `undefined` for any other error. A host with several addresses fails with an
 * `AggregateError`: what helps soonest counts.
 */
export function classifyNetwork(error: unknown): FaultClass | undefined {
  const { code, syscall, errors } = error as {
    readonly code?: unknown;
    readonly syscall?: unknown;
    readonly errors?: readonly unknown[];
  };
  if (Array.isArray(errors)) {
    const classes = errors.flatMap((each) => classifyNetwork(each) ?? []);
    return classes.find(({ kind }) => kind === "while-booting") ?? classes[0];
  }
  if (typeof code !== "string") return undefined;
  if (code === "ETIMEDOUT") {
    const fault = syscall === "connect" ? "dial-timeout" : "closed";
    return { fault, kind: "reconnect", detail: code };
  }
  // Deno's word for an address that is not this machine's.
  if (code === "EINVAL" && syscall === "bind") {
    return { fault: "bad-local-address", kind: "never", detail: code };
  }
  const found = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  return found && { ...found, detail: code };
}
