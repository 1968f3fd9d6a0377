import type { Failure } from "../../machines/failure.ts";

/** What a path holds after a change, as git counts modes. */
export type FileMode = "100644" | "100755" | "120000";

/**
 * One path of a {@link Change}. `path` is relative to the root and a byte string: one character for
 * every byte (latin1), as git's own names have no encoding.
 */
export type FileChange =
  | {
    readonly path: string;
    readonly mode: FileMode;
    /** The content; the target where `mode` is a symbolic link's. */
    readonly bytes: Uint8Array;
  }
  | { readonly path: string; readonly mode: "deleted" };

/** What one variant does to the payload: for each path that differs, what it holds afterwards. */
export interface Change {
  /** Names the change in messages and logs. */
  readonly id: string;
  readonly files: readonly FileChange[];
}

/** What a sidecar is made for. */
export interface SidecarSpec {
  /** The place among the campaign's workers, from 0; commands see it as `SIDECANARY_WORKER`. */
  readonly worker: number;
  /**
   * Make a new one although one of this place is there: it was lost, or its environment is broken.
   * @default false
   */
  readonly fresh?: boolean;
  /**
   * Variables over the inherited environment of every command.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
}

/** A sidecar that a provider knows of. */
export interface SidecarRef {
  readonly id: string;
  readonly worker: number;
}

/** What {@link Provider.sweep} did. */
export interface SweepReport {
  /** What dead owners had left and is gone now, by name. */
  readonly removed: readonly string[];
  /** What could not be removed, and why. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** How many sidecars a provider made in this process, and what became of them. */
export interface SidecarTally {
  readonly created: number;
  readonly destroyed: number;
  /** Those that may still exist, by name. */
  readonly left: readonly string[];
}

/** Makes, finds and destroys sidecars of one kind. */
export interface Provider {
  /** `overlay`, `reflink`, `copy`, `ssh`, … */
  readonly kind: string;
  /**
   * Whether {@link Sidecar.freeze} reaches all sidecars of the provider (`shared`) or only its own
   * (`own`), so that each has to run the build and the baseline by itself.
   */
  readonly warmth: "shared" | "own";
  /** The kind for people: "overlay in a user namespace". */
  describe(): string;
  /**
   * Makes a sidecar, or takes over the one that an earlier call for this place has made, and has a
   * first command come back. {@link Sidecar.sync} makes it ready to open sandboxes.
   *
   * @throws SidecanaryError `sidecar-failed`, `sandbox-unavailable`, `host-failed`; the signal's
   *   reason when aborted
   */
  create(spec: SidecarSpec, signal: AbortSignal): Promise<Sidecar>;
  /**
   * Destroys what stands at a worker's place, also where {@link Provider.create} never came back.
   * Nothing there is success.
   *
   * @throws SidecanaryError `sidecar-failed`, `host-failed`
   */
  remove(worker: number, signal: AbortSignal): Promise<void>;
  /** What was made in this process. */
  tally(): SidecarTally;
  /** The sidecars of this process that were made and not destroyed. */
  list(): Promise<readonly SidecarRef[]>;
  /** Removes what dead processes of ours have left. A living owner's sidecars are spared. */
  sweep(): Promise<SweepReport>;
  /**
   * Destroys what is left and removes everything that the sidecars shared. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` that names what could not be removed
   */
  close(): Promise<void>;
}

/** How far {@link Sidecar.sync} has come. */
export interface SyncProgress {
  readonly sentBytes: number;
  readonly totalBytes: number;
}

/** A place where commands run, one sandbox at a time. */
export interface Sidecar {
  readonly id: string;
  /**
   * Brings the payload there and verifies it; goes on where an earlier call stopped, and does nothing
   * where it is there. Dials again first where the connection is lost.
   *
   * @throws SidecanaryError `sidecar-failed`, `host-failed`; the signal's reason when aborted
   */
  sync(signal: AbortSignal, onProgress?: (progress: SyncProgress) => void): Promise<void>;
  /**
   * Makes sure that the connection stands, with one attempt to dial again where it does not.
   *
   * @throws SidecanaryError `host-failed`; the signal's reason when aborted
   */
  attach(signal: AbortSignal): Promise<void>;
  /**
   * Calls `listener` whenever the connection is lost from now on, and at once where it is lost now.
   * @returns ends it
   */
  onDisconnect(listener: (error: Error) => void): () => void;
  /**
   * Opens the state "payload + `change`"; `undefined` is the baseline's. The one before must be
   * closed.
   *
   * @throws SidecanaryError `sidecar-failed` where the state could not be reached exactly,
   *   `host-failed` where the connection was lost meanwhile; the signal's reason when aborted
   */
  open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox>;
  /**
   * Closes `sandbox` and lets every sandbox opened from now on start with the files it has: build
   * outputs and warm caches of a green baseline. See {@link Provider.warmth}.
   *
   * @throws SidecanaryError `sidecar-failed`, `host-failed`
   */
  freeze(sandbox: Sandbox): Promise<void>;
  /** Whether a sandbox could be opened now. */
  alive(): Promise<boolean>;
  /** Closes what is open and removes everything. Idempotent. */
  destroy(): Promise<void>;
}

/** How a command is run. */
export interface RunOptions {
  /**
   * Names the command within its sandbox. The same key again, after the connection was lost, attaches
   * to the command if the sidecar still has it, and answers at once where its result is known.
   * @default none: each call is a command of its own
   */
  readonly key?: string;
  /** After how many milliseconds the command and everything it started are killed. */
  readonly timeoutMs: number;
  /**
   * Variables over the sidecar's.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Files that get the whole output; parents must exist.
   * @default files that are removed with the sandbox
   */
  readonly logs?: { readonly stdout: string; readonly stderr: string };
  /**
   * How many bytes of the end of each stream the result carries.
   * @default 65_536
   */
  readonly tailBytes?: number;
  /**
   * Beyond how many bytes a log loses its beginning. A command is never stopped for its output.
   * @default 67_108_864
   */
  readonly maxLogBytes?: number;
  /** Kills the command like a timeout; the result is `lost` with the code `cancelled`. */
  readonly signal: AbortSignal;
}

/** What every result has. */
export interface RunOutput {
  readonly durationMs: number;
  /** The end of the output; a character cut at its beginning is left out. */
  readonly stdoutTail: string;
  readonly stderrTail: string;
}

/**
 * How a command ended. `exit` and `signal` are its own doing (a code of 128 + n as the shell gave
 * it); `oom` says that the kernel killed for want of memory meanwhile. After `timeout` and `lost`
 * the sandbox is dead and only good for being closed, save for a `lost` whose failure is `transient`:
 * the connection is gone and the sandbox is not; run the same key again.
 */
export type RunResult =
  | (RunOutput & { readonly kind: "exit"; readonly code: number; readonly oom: boolean })
  | (RunOutput & { readonly kind: "signal"; readonly name: string; readonly oom: boolean })
  | (RunOutput & { readonly kind: "timeout" })
  | (RunOutput & { readonly kind: "lost"; readonly failure: Failure });

/** One state of the files, with commands running in it. */
export interface Sandbox {
  /**
   * Runs `command` with `sh -c` in the working directory; nothing on standard input. Resolves when
   * the command itself has ended, whatever it leaves in the background. Never rejects for what a
   * command does.
   */
  run(command: string, options: RunOptions): Promise<RunResult>;
  /**
   * Kills everything that still runs and drops the state. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` where something could not be ended or put back
   */
  close(): Promise<void>;
}
