import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostKeyAlgorithms } from "./host-key-algorithms.ts";
import type { HostKeyPolicy } from "./host-key-policy.ts";
import { fingerprint, keyTypeOf, publicKeyLine } from "./wire.ts";

/** The keys of hosts of ours, by the id of the host. Keys are in SSH's wire format. */
export interface HostKeyPins {
  get(id: string): Promise<Uint8Array | undefined>;
  /**
   * Pins a key where none is pinned yet.
   * @returns the key that holds: that of whoever came first
   */
  set(id: string, key: Uint8Array): Promise<Uint8Array>;
  /** Forgets the key of a host that is gone. Idempotent. */
  remove(id: string): Promise<void>;
}

/** How the key of a disposable host is known. */
export interface PinnedHostKeyOptions {
  /** The host's id: names are used again, ids are not. */
  readonly id: string;
  readonly pins: HostKeyPins;
  /**
   * The key that whoever made the host says it has, in SSH's wire format.
   * @default unknown: the first key that is seen is pinned
   */
  readonly given?: Uint8Array;
}

/**
 * Trusts a host of ours by the key that its maker told us; else the first key it shows is its key for
 * as long as it lives. For hosts that this run created: a user's own hosts are known by known_hosts.
 */
export async function pinnedHostKey(options: PinnedHostKeyOptions): Promise<HostKeyPolicy> {
  const { id, pins, given } = options;
  const pinned = given ?? await pins.get(id);
  return {
    algorithms: pinned === undefined ? [] : hostKeyAlgorithms([pinned]),
    verify: async (key) => {
      const held = pinned ?? await pins.set(id, key);
      if (Buffer.from(held).equals(key)) return { ok: true };
      return {
        ok: false,
        fault: "host-key-changed",
        message: `${id} showed the ${keyTypeOf(key) ?? "unknown"} key ${fingerprint(key)}, but ` +
          `its key is ${fingerprint(held)}${given === undefined ? " since it was made" : ""}. ` +
          "Somebody else may answer in its place",
      };
    },
  };
}

/**
 * Pins in files of `dir`, one a host, for all processes of this machine. A pin is made by linking a
 * complete file, so whoever comes second finds the first one's.
 */
export function fileHostKeyPins(dir: string): HostKeyPins {
  const pathOf = (id: string) => join(dir, `${encodeURIComponent(id).replaceAll(".", "%2E")}.pub`);
  const get = async (id: string) => {
    try {
      const [, base64 = ""] = (await readFile(pathOf(id), "latin1")).split(" ");
      return new Uint8Array(Buffer.from(base64, "base64"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
  return {
    get,
    set: async (id, key) => {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const draft = `${pathOf(id)}.${randomBytes(6).toString("hex")}`;
      try {
        await writeFile(draft, `${publicKeyLine(key)}\n`, { flag: "wx", mode: 0o600 });
        await link(draft, pathOf(id));
        return key;
      } catch (error) {
        const held = (error as NodeJS.ErrnoException).code === "EEXIST" ? await get(id) : undefined;
        if (held === undefined) throw error;
        return held;
      } finally {
        await rm(draft, { force: true });
      }
    },
    remove: (id) => rm(pathOf(id), { force: true }),
  };
}
