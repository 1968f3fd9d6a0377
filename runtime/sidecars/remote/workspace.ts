/** What the machine around a workspace can do, as a probe found it. */
export interface WorkspaceTools {
  /** The version of git, `2.39.5`. */
  readonly git: string;
  /** Bytes that may still be written; `null` where the machine does not tell. */
  readonly freeBytes: number | null;
  /** Whether two names that differ in case are one file. */
  readonly caseInsensitive: boolean;
  /** Whether the file system keeps executable bits and runs what has one. */
  readonly executes: boolean;
  /** Whether the programs are there; whether they may be used is not known. */
  readonly unshare: boolean;
  readonly nsenter: boolean;
  readonly mount: boolean;
}

/** A folder of ours on a host. Its paths are absolute and may hold any character except NUL. */
export interface Workspace {
  /** Mode 0700; everything else lies in it. */
  readonly dir: string;
  /** A bare repository of our own, which holds what was delivered: `${dir}/repo.git`. */
  readonly gitDir: string;
  /** The verified checkout of the delivered tree, with what a setup added: `${dir}/base`. */
  readonly base: string;
  readonly tools: WorkspaceTools;
}
