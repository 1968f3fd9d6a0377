import { keyTypeOf } from "./wire.ts";

/** What hosts with these keys, in SSH's wire format, sign with: the types, but SHA-2 for RSA (RFC 8332). */
export function hostKeyAlgorithms(keys: readonly Uint8Array[]): string[] {
  return [
    ...new Set(keys.flatMap((key) => {
      const type = keyTypeOf(key) ?? [];
      return type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : type;
    })),
  ];
}
