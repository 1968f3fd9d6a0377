import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import type { InstanceCell, Started } from "./instance-cell.ts";
import type { DestroyReason } from "./serve-event.ts";
import type { ServeLimits } from "./serve-limits.ts";

/** What an instance is known by. */
export interface InstanceLabel {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly org: string;
}

/** A public key that may log in. */
export interface AuthorisedKey {
  readonly type: string;
  readonly blob: Buffer;
}

/** What an {@link Instance} has of its surroundings. */
export interface InstancePorts {
  readonly clock: Clock;
  readonly limits: Pick<ServeLimits, "idleMs" | "lifetimeMs">;
  /** Called once when the instance has to go by itself. */
  readonly onExpired: (reason: DestroyReason) => void;
}

const MAX_KEYS = 32;

/** A place where one client's commands run. */
export class Instance {
  readonly label: InstanceLabel;
  readonly cell: InstanceCell;
  readonly createdAt: number;
  readonly #ports: InstancePorts;
  readonly #keys: AuthorisedKey[] = [];
  readonly #disconnects = new Set<() => void>();
  readonly #lifetime: unknown;
  readonly #running = new Set<ChildProcess>();
  #idle: unknown;
  #sessions = 0;
  #over = false;

  constructor(label: InstanceLabel, cell: InstanceCell, ports: InstancePorts) {
    this.label = label;
    this.cell = cell;
    this.#ports = ports;
    this.createdAt = ports.clock.now();
    const { clock, limits, onExpired } = ports;
    this.#lifetime = clock.setTimeout(() => onExpired("lifetime"), limits.lifetimeMs);
    void cell.ended.then(() => {
      if (!this.#over) onExpired("died");
    });
    this.touch();
  }

  /** Connections, authenticated or not. */
  get connections(): number {
    return this.#disconnects.size;
  }

  /** Commands that have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** Lets a key log in. Again is nothing new. Answers `false` where there are too many. */
  addKey(key: AuthorisedKey): boolean {
    if (this.keyOf(key.blob) !== undefined) return true;
    if (this.#keys.length >= MAX_KEYS) return false;
    this.#keys.push(key);
    return true;
  }

  keyOf(blob: Uint8Array): AuthorisedKey | undefined {
    return this.#keys.find((key) => key.blob.equals(blob));
  }

  /** Counts a connection that `disconnect` ends. Answers what to call when it has ended. */
  join(disconnect: () => void): () => void {
    this.#disconnects.add(disconnect);
    return () => void this.#disconnects.delete(disconnect);
  }

  /** Somebody has logged in: the instance is not idle until the answer is called. */
  use(): () => void {
    this.#sessions++;
    this.touch();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#sessions--;
      this.touch();
    };
  }

  /** Starts waiting anew. */
  touch(): void {
    const { clock, limits, onExpired } = this.#ports;
    clock.clearTimeout(this.#idle);
    if (this.#over || this.#sessions > 0) return;
    this.#idle = clock.setTimeout(() => onExpired("idle"), limits.idleMs);
  }

  /**
   * Starts a command with pipes for its standard streams.
   *
   * @throws Error of the system where the arguments cannot be passed at all
   */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
    const { cell } = this;
    const entry = cell.enter(argv, env);
    const child = spawn(entry.file, entry.args, {
      cwd: entry.cwd,
      env: entry.env,
      stdio: ["pipe", "pipe", "pipe", ...(cell.announces ? ["pipe" as const] : [])],
      detached: true,
    });
    if (child.pid !== undefined) {
      cell.adopt(child);
      this.#running.add(child);
      child.once("exit", () => this.#running.delete(child));
    }
    const word = child.stdio?.[3] as Readable | null | undefined;
    return { child, begun: cell.announces ? hasData(word) : Promise.resolve(true) };
  }

  /**
   * Ends the connections and everything that runs. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` where something could not be killed
   */
  async end(): Promise<void> {
    this.#over = true;
    const { clock } = this.#ports;
    clock.clearTimeout(this.#idle);
    clock.clearTimeout(this.#lifetime);
    for (const disconnect of this.#disconnects) disconnect();
    await this.cell.end();
  }
}

async function hasData(stream: Readable | null | undefined): Promise<boolean> {
  if (!stream) return false;
  return await new Promise((resolve) => {
    stream.on("data", () => resolve(true));
    stream.once("close", () => resolve(false));
    stream.once("error", () => resolve(false));
  });
}
