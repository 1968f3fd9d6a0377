import type fc from "fast-check";
import { nextTurn } from "../../runtime/next-turn.ts";
import type { Leg } from "./faulty-store.ts";
import type { SimProcess } from "./sim-process.ts";
import { leaseMs, lost, type SimWorld, type Wire } from "./sim-world.ts";

/** What happens to the message with this number, counted from 0 over all processes. */
export interface Fault {
  readonly at: number;
  readonly kind: "lose" | "crash" | "stall";
}

/** Far more than any plan needs: a broken protocol may turn in circles without end. */
const maxMessages = 4_000;

/** Carries messages when fast-check's scheduler says so. Time is one more thing it schedules. */
export class ScheduledWire implements Wire {
  readonly #scheduler: fc.Scheduler;
  readonly #faults: ReadonlyMap<number, Fault["kind"]>;
  #carried = 0;
  /** Once it is calm, every message arrives at once. */
  #isCalm = false;

  constructor(scheduler: fc.Scheduler, faults: readonly Fault[]) {
    this.#scheduler = scheduler;
    this.#faults = new Map(faults.map(({ at, kind }) => [at, kind]));
  }

  async carry(process: SimProcess, call: string, leg: Leg): Promise<void> {
    const life = process.engine;
    if (this.#carried >= maxMessages) await never;
    const number = this.#carried++;
    const fault = this.#isCalm ? undefined : this.#faults.get(number);
    if (fault === "crash") process.crash(400);
    if (fault === "stall") process.pause(2.5 * leaseMs);
    if (!this.#isCalm) {
      await this.#scheduler.schedule(Promise.resolve(), `${process.name} ${call} ${leg}`);
    }
    // A message of a process that died meanwhile is on its way nevertheless.
    if (life === process.engine) await process.running();
    if (fault === "lose" || (fault === "crash" && leg === "request")) throw lost(call);
  }

  /**
   * Runs `work` while messages and time race, then lets everything come to rest: no more faults, and
   * a new process that finds whatever was left.
   *
   * @param survive whether the processes of before go on beside the new one
   * @returns what did not end
   */
  async run(
    world: SimWorld,
    work: () => Promise<void>,
    survive: boolean,
  ): Promise<readonly string[]> {
    let isOver = false;
    const worked = work().finally(() => isOver = true);
    // Looked at below; it must not be taken for unhandled until then.
    worked.catch(() => {});
    const time = async () => {
      for (let ticks = 0; !isOver && ticks < 150; ticks++) {
        await this.#scheduler.schedule(Promise.resolve(), "time");
        await world.clock.runNext();
      }
    };
    await this.#scheduler.waitFor(time());
    this.#isCalm = true;
    await this.#scheduler.waitIdle();
    if (!survive) {
      for (const process of world.processes) process.crash();
    }
    await world.addProcess();
    await world.pass(8 * leaseMs);
    const endless: string[] = [];
    if (this.#carried >= maxMessages) endless.push("P1: the processes never come to rest");
    if (isOver) await worked;
    else endless.push("P1: a client never got an answer");
    world.end();
    await nextTurn();
    return endless;
  }
}

const never = new Promise<void>(() => {});
