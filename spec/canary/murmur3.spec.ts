import * as assert from "uvu/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { murmur3 } from "../../runtime/canary/murmur3.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("canary/murmur3");

/** Published vectors of MurmurHash3_x86_32 that are texts. */
const vectors: readonly (readonly [text: string, seed: number, hash: number])[] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["\0\0\0\0", 0, 0x2362f9de],
  ["\0\0\0", 0, 0x85f0b427],
  ["\0\0", 0, 0x30f4c306],
  ["\0", 0, 0x514e28b7],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aa", 0x9747b28c, 0x5d211726],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["abcd", 0x9747b28c, 0xf0478627],
  ["abc", 0x9747b28c, 0xc84a62dd],
  ["ab", 0x9747b28c, 0x74875592],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["ππππππππ", 0x9747b28c, 0xd58063c1],
  ["a".repeat(256), 0x9747b28c, 0x37405bdc],
  ["abc", 0, 0xb3dd93fa],
  ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0, 0xee925b90],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
];

/** The algorithm as it is published, over bytes. */
function overBytes(bytes: Uint8Array, seed: number): number {
  const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));
  const scramble = (word: number) => Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - bytes.length % 4;
  let hash = seed;
  for (let at = 0; at < whole; at += 4) {
    hash = rotate(hash ^ scramble(view.getUint32(at, true)), 13);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let at = bytes.length - 1; at >= whole; at--) rest = (rest << 8) | (bytes[at] ?? 0);
  hash ^= scramble(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

test("murmur3 gives the published hashes", () => {
  for (const [text, seed, hash] of vectors) {
    assert.is(murmur3(text, seed).toString(16), hash.toString(16), JSON.stringify(text));
  }
});

test("murmur3 hashes the UTF-8 bytes of any text, lone surrogates as TextEncoder does", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes)),
    fc.tuple(fc.string(), fc.constantFrom("é", "π", "語", "😀", "\ud800", "\udc00")).map((all) =>
      all.join("")
    ),
  );
  await check(
    fc.property(text, fc.integer({ min: 0, max: 0xffffffff }), (text, seed) => {
      assert.is(murmur3(text, seed), overBytes(Buffer.from(text, "utf8"), seed));
    }),
    { numRuns: 200 },
  );
});
