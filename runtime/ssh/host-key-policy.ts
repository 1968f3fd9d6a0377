/** Whether the key that a host showed is the host's. */
export type HostKeyVerdict =
  | { readonly ok: true }
  | {
    readonly ok: false;
    readonly fault: "host-key-unknown" | "host-key-changed" | "host-key-revoked";
    /** A sentence for people: which key was shown, which was known, what to do. */
    readonly message: string;
  };

/** Decides on one host's key, before anything secret is sent. */
export interface HostKeyPolicy {
  /**
   * Types of keys in the order of preference, the known ones first: the host shows only one key,
   * and which one it is, is settled by this order. An `rsa` key is known as `rsa-sha2-512` and
   * `rsa-sha2-256`. Types that are not named come after these, in the usual order.
   *
   * An empty list is the usual order.
   */
  readonly algorithms: readonly string[];
  /**
   * @param key the public key in SSH's wire format (RFC 4253 §6.6)
   * @throws what is thrown ends the connection attempt, as it is
   */
  verify(key: Uint8Array): HostKeyVerdict | Promise<HostKeyVerdict>;
}
