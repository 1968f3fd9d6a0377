/** An immutable snapshot of a working tree. Plain data; its bytes stand in `gitDir`. */
export interface Payload {
  /** The top of the working tree: git's toplevel, or the directory itself without a repository. */
  readonly root: string;
  /** Where the capture was asked for, relative to `root`: `""` or `packages/core`. */
  readonly cwd: string;
  /** The hash of the tree: the same content has the same one everywhere. */
  readonly tree: string;
  /** A bare repository of our own that holds every object of `tree`. */
  readonly gitDir: string;
  /** An index of exactly `tree`, with the modification times of the captured files. */
  readonly indexFile: string;
  readonly files: number;
  /** The commit that was checked out; null before the first one and without a repository. */
  readonly head: string | null;
  /** Whether `root` belongs to a git repository. */
  readonly repository: boolean;
  /** What people should know: absent files of a sparse checkout, special files. */
  readonly warnings: readonly string[];
}
