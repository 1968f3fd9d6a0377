import type { Random } from "../random.ts";

/**
 * Random numbers that are the same for the same seed, on every machine. Not for secrets.
 *
 * Source: sfc32 of PractRand (Chris Doty-Humphrey), public domain, 128 bits of state.
 *
 * @param seed a whole number
 */
export function seededRandom(seed: number): Random {
  let a = 0;
  let b = Math.floor(seed / 0x1_0000_0000) | 0;
  let c = seed | 0;
  let counter = 1;
  const next = () => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + result) | 0;
    return (result >>> 0) / 0x1_0000_0000;
  };
  for (let n = 0; n < 15; n++) next();
  return next;
}
