/** A file of git objects, to be sent to many hosts. Plain data. */
export interface PayloadPack {
  /** The hash of the file's content, 40 hexadecimal digits. */
  readonly id: string;
  readonly file: string;
  readonly bytes: number;
  /** The tree that the pack brings. */
  readonly tree: string;
  /** Trees that the other side must have; none for a full pack. */
  readonly against: readonly string[];
}
