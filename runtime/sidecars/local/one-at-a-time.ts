import type { Change, Sandbox } from "../provider.ts";
import type { LocalSidecar } from "./local-sidecar.ts";

/**
 * Keeps calls of one sidecar apart that come while a sandbox is being opened: another `open` is
 * refused, and `destroy` waits, so that no sandbox outlives its sidecar.
 */
export class OneAtATime implements LocalSidecar {
  readonly id: string;
  readonly #inner: LocalSidecar;
  #opening: Promise<Sandbox> | undefined;
  #destroyed = false;

  constructor(inner: LocalSidecar) {
    this.id = inner.id;
    this.#inner = inner;
  }

  async open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    if (this.#destroyed) throw new TypeError(`sidecar ${this.id} was destroyed`);
    if (this.#opening !== undefined) throw new TypeError(`sidecar ${this.id} opens a sandbox`);
    this.#opening = this.#open(change, signal);
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  async freeze(sandbox: Sandbox): Promise<void> {
    await this.#inner.freeze(sandbox);
  }

  async alive(): Promise<boolean> {
    return await this.#inner.alive();
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    // Its failure is told to who opens.
    await this.#opening?.catch(() => {});
    await this.#inner.destroy();
  }

  async #open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    const sandbox = await this.#inner.open(change, signal);
    if (!this.#destroyed) return sandbox;
    await sandbox.close();
    throw new TypeError(`sidecar ${this.id} was destroyed while it opened a sandbox`);
  }
}
