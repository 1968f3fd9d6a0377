import { type PackOptions, packPayload, type PayloadPack } from "./pack-payload.ts";

/** Answers the smallest pack for a host that has the trees `have`. */
export type PayloadPacker = (have: readonly string[]) => Promise<PayloadPack>;

/**
 * Packs one payload for many hosts: each pack is made once, when the first host needs it, and by
 * one git at a time.
 */
export function payloadPacker(options: Omit<PackOptions, "against">): PayloadPacker {
  const packs = new Map<string, Promise<PayloadPack>>();
  let last: Promise<unknown> = Promise.resolve();
  return (have) => {
    const against = [...new Set(have)].sort();
    const key = against.join(" ");
    let pack = packs.get(key);
    if (pack === undefined) {
      pack = last.then(() => packPayload({ ...options, against }));
      packs.set(key, pack);
      // A pack that failed is tried again by the next host that asks.
      last = pack.catch(() => packs.delete(key));
    }
    return pack;
  };
}
