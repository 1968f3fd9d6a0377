import type { HostFaultDetails } from "./host-fault.ts";

/** Everything a failure can carry beside its message, by code. One entry is one kind of failure. */
export interface ErrorDetails {
  /** The command line is wrong: an unknown option, a value out of range. */
  readonly "usage": { readonly option?: string };
  /** A variants file, a patch or another piece of input is malformed. */
  readonly "input-invalid": {
    readonly source: string;
    readonly entry?: string;
    readonly field?: string;
  };
  /** A configuration file is malformed. */
  readonly "config-invalid": { readonly path: string; readonly field?: string };
  /** A machine uses a feature that the engine does not run durably. `node` is the state's path. */
  readonly "machine-refused": {
    readonly machine: string;
    readonly node: string;
    readonly feature: string;
  };
  /** No machine of this name was registered in this process. */
  readonly "machine-unknown": { readonly machine: string };
  /** An actor was stored by another definition of its machine, and no migration was given. */
  readonly "machine-changed": {
    readonly actor: string;
    readonly machine: string;
    readonly stored: string;
    readonly registered: string;
  };
  /** There is no actor with this id. */
  readonly "actor-unknown": { readonly actor: string };
  /** An event, an id or an input is not what the engine takes. */
  readonly "event-refused": { readonly actor: string; readonly event: string };
  /** The engine was closed or killed. */
  readonly "engine-closed": { readonly owner: string };
  /** The actor did not come to the awaited state in time. */
  readonly "wait-timeout": { readonly actor: string; readonly timeoutMs: number };
  /** A value that must be plain JSON data holds something else at `path`. */
  readonly "not-json": { readonly path: string };
  /** The store was closed. */
  readonly "store-closed": { readonly store: string };
  /** The store stayed locked by another process for longer than its patience. */
  readonly "store-busy": { readonly store: string; readonly waitedMs: number };
  /** The store's file was written by a newer sidecanary, or is no store at all. */
  readonly "store-version": { readonly store: string; readonly found: string };
  /** The store failed in a way that it does not expect (disk full, I/O error, corruption). */
  readonly "store-failed": { readonly store: string };
  /** git ended with an error that is not an answer. */
  readonly "git-failed": {
    readonly args: readonly string[];
    readonly exitCode: number | null;
    readonly stderr: string;
  };
  /** The working tree could not be captured. */
  readonly "payload-failed": { readonly path: string };
  /** A sandbox of the wanted kind cannot be made here. */
  readonly "sandbox-unavailable": { readonly wanted: string; readonly reason: string };
  /** A sidecar could not be made, reached or kept. */
  readonly "sidecar-failed": { readonly sidecar: string };
  /** A host could not be made, reached, trusted or kept; `kind` says what helps. */
  readonly "host-failed": HostFaultDetails;
  /** The commands fail on the unpatched payload. */
  readonly "baseline-failed": { readonly command: string; readonly exitCode: number | null };
  /** The run measured nothing that can be trusted. */
  readonly "run-void": { readonly reason: string };
  /** Another process works on the same campaign. */
  readonly "campaign-locked": { readonly campaign: string; readonly owner: string };
  /** A defect of sidecanary itself. */
  readonly "internal": { readonly where: string };
}

/** The code of a failure: stable, meant for `switch`. */
export type ErrorCode = keyof ErrorDetails;

/**
 * A failure that callers may want to tell apart. `code` says which, `details` names the values,
 * `cause` holds what led to it (`undefined` where nothing did).
 */
export class SidecanaryError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "SidecanaryError";
  readonly code: Code;
  readonly details: ErrorDetails[Code];

  /**
   * @param message a sentence that names the value and says what to do
   * @param cause the error underneath, or `undefined`
   */
  constructor(code: Code, message: string, details: ErrorDetails[Code], cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
}

/** Every failure as one discriminated union: `switch (error.code)` narrows `details`. */
export type AnySidecanaryError = { [Code in ErrorCode]: SidecanaryError<Code> }[ErrorCode];

/** Whether `error` is one of ours, of `code` where one is given. */
export function isSidecanaryError(error: unknown): error is AnySidecanaryError;
export function isSidecanaryError<Code extends ErrorCode>(
  error: unknown,
  code: Code,
): error is SidecanaryError<Code>;
export function isSidecanaryError(error: unknown, code?: ErrorCode): boolean {
  return error instanceof SidecanaryError && (code === undefined || error.code === code);
}
