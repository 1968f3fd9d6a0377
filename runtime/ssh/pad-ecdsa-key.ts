import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { readWireString } from "./wire.ts";

/** Curves by SSH's names (RFC 5656 §10.1): the one of JSON Web Keys, and the bytes of a number. */
const CURVES: Readonly<Record<string, readonly [name: string, size: number]>> = {
  nistp256: ["P-256", 32],
  nistp384: ["P-384", 48],
  nistp521: ["P-521", 66],
};

/**
 * Writes an ecdsa key as SEC1 wants it. OpenSSH's format has the private number with as few bytes as
 * it takes, plus a zero where it would look negative; ssh2 hands these bytes on as they are. OpenSSL
 * takes any number of them, Deno just the curve's, so that every second key does not sign there.
 *
 * @param pem what ssh2 made of the key
 * @param publicKey in SSH's wire format
 * @returns a PEM; `undefined` where the key is no ecdsa key, or cannot be read
 */
export function padEcdsaKey(pem: string, publicKey: Uint8Array): string | undefined {
  const type = readWireString(publicKey, 0);
  const curve = type && readWireString(publicKey, type.end);
  const point = curve && readWireString(publicKey, curve.end);
  const [crv, size = 0] = CURVES[curve?.content.toString("latin1") ?? ""] ?? [];
  const number = privateNumber(pem);
  if (!point || crv === undefined || number === undefined) return undefined;
  if (point.content.length !== 2 * size + 1) return undefined;
  const d = Buffer.from(number.toString(16).padStart(2 * size, "0"), "hex");
  const key = {
    kty: "EC",
    crv,
    d: d.toString("base64url"),
    x: point.content.subarray(1, size + 1).toString("base64url"),
    y: point.content.subarray(size + 1).toString("base64url"),
  };
  try {
    const padded = createPrivateKey({ format: "jwk", key });
    return padded.export({ type: "sec1", format: "pem" }) as string;
  } catch {
    // Numbers that are no key of the curve: what they are used for says so.
    return undefined;
  }
}

/** The number in `SEQUENCE { INTEGER 1, OCTET STRING number, … }` (RFC 5915 §3). */
function privateNumber(pem: string): bigint | undefined {
  const der = Buffer.from(pem.replace(/-----[^-]*-----/g, ""), "base64");
  const start = (der[1] ?? 0) > 0x80 ? 2 + (der[1] ?? 0) - 0x80 : 2;
  const [integer, length, version, octets, size = 0] = der.subarray(start);
  if (integer !== 0x02 || length !== 1 || version !== 1 || octets !== 0x04) return undefined;
  const bytes = der.subarray(start + 5, start + 5 + size);
  return bytes.length === size && size > 0 ? BigInt(`0x${bytes.toString("hex")}`) : undefined;
}
