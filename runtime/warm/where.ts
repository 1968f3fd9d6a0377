/** Where a warm sidecar is: what the command line said, so that a later process finds it. Plain data. */
export interface Where {
  /** Tells one choice from another. */
  readonly label: string;
  /** The values of `--sidecar`. */
  readonly sidecars: readonly string[];
  readonly image?: string;
  readonly orgId?: string;
  readonly identityFile?: string;
  readonly acceptNew?: boolean;
}
