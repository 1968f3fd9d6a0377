import type { ChildProcess } from "node:child_process";

/** A command line that runs in an instance, started as the leader of a process group of its own. */
export interface Entry {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** A command that was started in an instance. */
export interface Started {
  readonly child: ChildProcess;
  /**
   * Whether it came as far as running in the instance; where not, its exit code is that of what should
   * have brought it there. Settles when the command runs, or has ended.
   */
  readonly begun: Promise<boolean>;
}

/** The processes of one instance: what encloses them and ends them. */
export interface InstanceCell {
  /** The process outside that everything else hangs on, for the journal. */
  readonly holder: number;
  /** The command line that runs `argv` in the user's home, with `env` over the instance's own. */
  enter(argv: readonly string[], env?: Readonly<Record<string, string>>): Entry;
  /** Whether commands write to descriptor 3 when they run in the instance. */
  readonly announces: boolean;
  /** Tells the cell of a command that was started with {@link InstanceCell.enter}. */
  adopt(child: ChildProcess): void;
  /** The process group of such a command; `undefined` where it has ended, or not begun. */
  groupOf(child: ChildProcess): number | undefined;
  /** Resolves when the processes have ended, for whatever reason. Never rejects. */
  readonly ended: Promise<void>;
  /**
   * Kills everything; resolves when nothing runs any more. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` where something could not be killed
   */
  end(): Promise<void>;
}

/** What a cell is opened for. */
export interface CellRequest {
  readonly id: string;
  /** The instance's directory: `home`, `tmp` and `root` are in it. */
  readonly dir: string;
  /** The id the instance's processes have outside; see {@link Isolation.uids}. */
  readonly uid: number | undefined;
  readonly signal: AbortSignal;
}

/** The way in which instances are kept apart. */
export interface Isolation {
  /** For people: "namespaces and a user id each, no network". */
  readonly description: string;
  /** The first of the ids that instances are given, one each; `undefined` where they share one. */
  readonly uids: number | undefined;
  /**
   * @throws SidecanaryError `sidecar-failed` with what the system said
   */
  open(request: CellRequest): Promise<InstanceCell>;
}
