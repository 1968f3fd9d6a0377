import type { Json } from "../../runtime/json.ts";

/** One request that reached the outside service. */
export interface Received {
  readonly key: string;
  readonly actor: string;
  readonly payload: Json;
  /** The epoch it came from, where its kind carries one. */
  readonly epoch: number | null;
  readonly at: number;
}

/** An outside service that does the work of a key once, as one with idempotency keys does. */
export class Receiver {
  /** Every request, repetitions too. */
  readonly requests: Received[] = [];
  /** What was done, by key. */
  readonly done = new Map<string, Received>();
  readonly violations: string[] = [];

  /** Answers whether the key was new. */
  receive(request: Received): boolean {
    this.requests.push(request);
    const first = this.done.get(request.key);
    if (first === undefined) {
      this.done.set(request.key, request);
      return true;
    }
    if (
      first.actor !== request.actor ||
      JSON.stringify(first.payload) !== JSON.stringify(request.payload)
    ) {
      this.violations.push(`effects: the key ${request.key} came with two different requests`);
    }
    return false;
  }
}
