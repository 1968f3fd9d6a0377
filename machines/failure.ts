/**
 * What a failure asks for. `transient`: wait and try again. `permanent`: trying again cannot help.
 * `sidecar-lost`: the place where the work ran is gone; take another one.
 */
export type FailureClass = "transient" | "permanent" | "sidecar-lost";

/**
 * Why a port gave up, as plain data: it is stored in snapshots and sent in events. Adapters throw
 * it; an `Error` never reaches a machine's context.
 */
export interface Failure {
  /** Stable and meant for `switch`; it becomes the reason of an `error` verdict. */
  readonly code: string;
  /** A sentence for people. Nothing is ever decided by it. */
  readonly message: string;
  readonly class: FailureClass;
  /**
   * The shortest wait before another try, in milliseconds (`Retry-After`, a server that punishes
   * quick dials). The adapter bounds it. Only read where `class` is `transient`.
   * @default 0
   */
  readonly retryAfterMs?: number;
}

/**
 * What a port threw as a {@link Failure}. Whatever is none, an `Error` above all, is a defect
 * rather than an expected fault: `permanent`, with the code `unexpected`. An `Error` that carries a
 * failure's fields is treated the same, because the engine stores errors as `{name, message, stack}`
 * and a machine must decide alike with and without it.
 */
export function toFailure(thrown: unknown): Failure {
  if (!isFailure(thrown)) {
    return { code: "unexpected", message: messageOf(thrown), class: "permanent" };
  }
  const { code, message, class: kind, retryAfterMs } = thrown;
  return isDelay(retryAfterMs)
    ? { code, message, class: kind, retryAfterMs }
    : { code, message, class: kind };
}

/** The reason that a failure becomes in a verdict or an output: one word for every lost sidecar. */
export function reasonOf(failure: Failure): string {
  return failure.class === "sidecar-lost" ? "sidecar-lost" : failure.code;
}

/** Whether `value` is a {@link Failure} and no `Error`. */
export function isFailure(value: unknown): value is Failure {
  if (typeof value !== "object" || value === null || value instanceof Error) return false;
  const { code, message, class: kind } = value as Record<string, unknown>;
  return typeof code === "string" && typeof message === "string" &&
    (kind === "transient" || kind === "permanent" || kind === "sidecar-lost");
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function messageOf(thrown: unknown): string {
  const { message } = (thrown ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : `A port threw a value of type ${typeOf(thrown)}`;
}

function typeOf(thrown: unknown): string {
  return thrown === null ? "null" : typeof thrown;
}
