/** The tree that a campaign works on, and what its sandboxes are made of. */
export interface Workspace {
  /** The absolute path of the user's tree, without symbolic links. */
  readonly root: string;
  /** Where commands run: `root` or a directory below it. */
  readonly cwd: string;
  /** A checkout of the payload, outside `root`; nothing may change it any more. */
  readonly checkout: string;
  /** Directories outside `root` that commands must not change either: git's common directory. */
  readonly protect: readonly string[];
}
