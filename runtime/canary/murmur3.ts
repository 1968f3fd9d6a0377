const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/**
 * MurmurHash3 x86 32-bit of the text's UTF-8 bytes, as an unsigned number. Nothing is allocated. A
 * lone surrogate counts as U+FFFD, as in `TextEncoder`. No cryptography: whoever chooses the text can
 * choose the hash.
 *
 * Source: `MurmurHash3_x86_32` of https://github.com/aappleby/smhasher, public domain.
 *
 * @param seed an unsigned 32-bit number
 * @default seed 0
 */
export function murmur3(text: string, seed = 0): number {
  const { length } = text;
  const whole = length - (length & 3);
  let hash = seed | 0;
  let index = 0;
  for (; index < whole; index += 4) {
    const a = text.charCodeAt(index);
    const b = text.charCodeAt(index + 1);
    const c = text.charCodeAt(index + 2);
    const d = text.charCodeAt(index + 3);
    if ((a | b | c | d) > 0x7f) return beyondAscii(text, index, hash);
    let word = Math.imul(a | (b << 8) | (c << 16) | (d << 24), C1);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, C2);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; index < length; index++, shift += 8) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return beyondAscii(text, whole, hash);
    rest |= code << shift;
  }
  return finish(hash, rest, length);
}

/** Goes on from `index`, before which there are whole words of ASCII. */
function beyondAscii(text: string, index: number, hash: number): number {
  let length = index;
  let word = 0;
  let shift = 0;
  for (; index < text.length; index++) {
    const point = text.codePointAt(index) ?? 0;
    if (point > 0xffff) index++;
    let size = 1;
    let bytes = point;
    if (point > 0xffff) {
      size = 4;
      bytes = (0xf0 | (point >> 18)) | ((0x80 | ((point >> 12) & 0x3f)) << 8) |
        ((0x80 | ((point >> 6) & 0x3f)) << 16) | ((0x80 | (point & 0x3f)) << 24);
    } else if (point > 0x7ff) {
      const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
      size = 3;
      bytes = (0xe0 | (code >> 12)) | ((0x80 | ((code >> 6) & 0x3f)) << 8) |
        ((0x80 | (code & 0x3f)) << 16);
    } else if (point > 0x7f) {
      size = 2;
      bytes = (0xc0 | (point >> 6)) | ((0x80 | (point & 0x3f)) << 8);
    }
    length += size;
    for (; size > 0; size--, bytes >>>= 8) {
      word |= (bytes & 0xff) << shift;
      shift += 8;
      if (shift < 32) continue;
      word = Math.imul(word, C1);
      word = (word << 15) | (word >>> 17);
      hash ^= Math.imul(word, C2);
      hash = (hash << 13) | (hash >>> 19);
      hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
      word = 0;
      shift = 0;
    }
  }
  return finish(hash, word, length);
}

/** `rest`: the bytes after the last whole word; none of them changes nothing. */
function finish(hash: number, rest: number, length: number): number {
  let word = Math.imul(rest, C1);
  word = (word << 15) | (word >>> 17);
  let mixed = hash ^ Math.imul(word, C2) ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
