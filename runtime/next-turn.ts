import { setImmediate } from "node:timers/promises";

/** Resolves after everything that waits on promises alone has gone on as far as it can. */
export async function nextTurn(): Promise<void> {
  await setImmediate();
}
