/** Why an instance was destroyed. */
export type DestroyReason = "asked" | "idle" | "lifetime" | "died" | "stopping";

/** What a sidecar host tells while it runs: plain data, no secrets. */
export type ServeEvent =
  | { readonly kind: "listening"; readonly url: string; readonly isolation: string }
  /** What a server that was killed had left is gone. */
  | { readonly kind: "recovered"; readonly instance: string }
  | {
    readonly kind: "created";
    readonly instance: string;
    readonly name: string;
    readonly owner: string;
    readonly durationMs: number;
  }
  | {
    readonly kind: "destroyed";
    readonly instance: string;
    readonly name: string;
    readonly owner: string;
    readonly reason: DestroyReason;
  }
  | { readonly kind: "connected"; readonly instance: string }
  | { readonly kind: "disconnected"; readonly instance: string }
  /** Somebody was turned away: no such token, no such key, too much at once. */
  | { readonly kind: "refused"; readonly what: string; readonly instance?: string }
  /** Something is left behind or does not work. */
  | { readonly kind: "failed"; readonly what: string; readonly instance?: string };
