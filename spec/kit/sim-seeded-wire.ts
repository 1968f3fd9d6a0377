import type { Random } from "../../runtime/random.ts";
import type { Leg } from "./faulty-store.ts";
import type { SimProcess } from "./sim-process.ts";
import { lost, type SimWorld, type Wire } from "./sim-world.ts";

/** Carries messages in times drawn from a seed, and loses some. */
export class SeededWire implements Wire {
  readonly #random: Random;
  readonly #lossRate: number;
  #isCalm = false;
  world: SimWorld | undefined;

  constructor(random: Random, lossRate: number) {
    this.#random = random;
    this.#lossRate = lossRate;
  }

  async carry(process: SimProcess, call: string, _leg: Leg): Promise<void> {
    const life = process.engine;
    const isLost = this.#random() < this.#lossRate;
    // Most messages are quick; one in twenty is slow.
    const slow = this.#random() < 0.05 ? 50 : 1;
    await this.world?.sleep(Math.floor(1 + this.#random() * 5 * slow));
    if (life === process.engine) await process.running();
    if (isLost && !this.#isCalm) throw lost(call);
  }

  /** Loses nothing from now on. */
  calm(): void {
    this.#isCalm = true;
  }
}
