import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";

/** The limits of a {@link LogFile}. */
export interface LogLimits {
  /** Beyond how many bytes the beginning is dropped. */
  readonly maxBytes: number;
  /** How many bytes of the end are kept for {@link LogFile.tail}. */
  readonly tailBytes: number;
}

/**
 * A file that a command appends to. The command writes to the disk itself: no pipe that a process
 * left behind could hold open, or that could fill up. It is read by a descriptor of our own, so that
 * a command which removes the file does no harm.
 */
export class LogFile {
  /** For the command's standard output or error. */
  readonly fd: number;
  readonly #limits: LogLimits;
  /** The end of what was dropped last: the file may be young when it is asked for its tail. */
  #dropped: Uint8Array = new Uint8Array();

  /** Makes the file, or empties it. */
  constructor(path: string, limits: LogLimits) {
    this.fd = openSync(path, "a+", 0o600);
    this.#limits = limits;
    ftruncateSync(this.fd, 0);
  }

  /** Drops what the file holds when it has grown too large; its writer goes on undisturbed. */
  limit(): void {
    if (fstatSync(this.fd).size <= this.#limits.maxBytes) return;
    this.#dropped = readEnd(this.fd, this.#limits.tailBytes);
    ftruncateSync(this.fd, 0);
  }

  /** The end of everything that was written. */
  tail(): string {
    const end = readEnd(this.fd, this.#limits.tailBytes);
    const missing = this.#limits.tailBytes - end.length;
    const before = missing > 0 ? this.#dropped.subarray(-missing) : new Uint8Array();
    return decodeTail(Buffer.concat([before, end]));
  }

  close(): void {
    closeSync(this.fd);
  }
}

function readEnd(fd: number, bytes: number): Uint8Array {
  const size = fstatSync(fd).size;
  const end = new Uint8Array(Math.min(size, bytes));
  let done = 0;
  while (done < end.length) {
    const count = readSync(fd, end, done, end.length - done, size - end.length + done);
    if (count === 0) break;
    done += count;
  }
  return end.subarray(0, done);
}

function decodeTail(bytes: Uint8Array): string {
  // Up to three continuation bytes at the beginning belong to a character that was cut.
  let start = 0;
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return new TextDecoder().decode(bytes.subarray(start));
}
