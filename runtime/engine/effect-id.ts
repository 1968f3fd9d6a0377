/** The id of the effect at `index` of a transition, and its idempotency key. */
export function effectId(actor: string, revision: number, index: number): string {
  return `${actor}:${revision}:${index}`;
}

/** The event id of the `index`-th event that a transition told. */
export function tellId(actor: string, revision: number, index: number): string {
  return `${actor}:${revision}:t${index}`;
}
