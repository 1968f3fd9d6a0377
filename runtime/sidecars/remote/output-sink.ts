import { closeSync, openSync, writeSync } from "node:fs";

/** Takes one stream of a command as it is fetched: the whole into a file, its end into memory. */
export class OutputSink {
  readonly #tailBytes: number;
  readonly #fd: number | undefined;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  /** What kept the file from being written, once something did. */
  failure: unknown;

  /**
   * Makes the file, or empties it.
   *
   * @param path `undefined` where no file is wanted
   * @throws the error of the file system
   */
  constructor(path: string | undefined, tailBytes: number) {
    this.#tailBytes = tailBytes;
    this.#fd = path === undefined ? undefined : openSync(path, "w", 0o600);
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    while (this.#kept - (this.#chunks[0]?.length ?? 0) >= this.#tailBytes) {
      const first = this.#chunks.shift();
      if (first === undefined) break;
      this.#kept -= first.length;
    }
    if (this.#fd === undefined || this.failure !== undefined) return;
    try {
      for (let at = 0; at < chunk.length;) at += writeSync(this.#fd, chunk, at);
    } catch (error) {
      this.failure = error;
    }
  }

  /** The end; a character cut at its beginning is left out. */
  tail(): string {
    const all = Buffer.concat(this.#chunks);
    const end = all.subarray(Math.max(0, all.length - this.#tailBytes));
    // Up to three continuation bytes at the beginning belong to a character that was cut.
    let start = 0;
    while (start < 3 && ((end[start] ?? 0) & 0xc0) === 0x80) start++;
    return new TextDecoder().decode(end.subarray(start));
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}
