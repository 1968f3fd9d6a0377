/** One change to try. */
export interface Variant {
  /** Names the variant in the report; unique in its file. */
  readonly id: string;
  /** Says what the change is, for people; may be empty. */
  readonly description: string;
  /** The change, as `git diff` writes it and `git apply` reads it. */
  readonly patch: string;
  /**
   * How the characters of `patch` stand for its bytes. The reader sets `latin1` for patch files that
   * are not UTF-8.
   * @default "utf8"
   */
  readonly patchEncoding?: "utf8" | "latin1";
  /** A group to score by. */
  readonly category?: string;
  /** The budget of each command, in seconds. */
  readonly timeout?: number;
  /** Free labels, echoed in the report. */
  readonly tags?: readonly string[];
}
