import type { ParsedKey } from "ssh2";

/**
 * What a connection authenticates with. Exactly one identity is offered per attempt: servers count
 * offers, and end the connection after a handful.
 */
export type SshIdentity =
  | {
    readonly kind: "key";
    /** A private key, decrypted already: that takes up to a second and blocks. */
    readonly key: ParsedKey;
  }
  | {
    readonly kind: "agent";
    /** The path of the agent's socket: `$SSH_AUTH_SOCK`. */
    readonly socket: string;
    /**
     * The public key, in SSH's wire format, of the agent's key to use.
     * @default the agent's first key
     */
    readonly publicKey?: Uint8Array;
  };
