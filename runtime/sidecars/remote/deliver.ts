import type { PayloadPack } from "../../sync/pack-payload.ts";

/** What a delivery needs. */
export interface DeliverOptions {
  /**
   * The packs that may be sent, the best first. The first one whose `against` trees the host has is
   * taken; the last one is full.
   */
  readonly packs: readonly PayloadPack[];
  /** The tree that the base is to be. */
  readonly tree: string;
  readonly signal: AbortSignal;
  /**
   * Called as bytes go out; what an earlier connection had sent counts.
   * @default nothing
   */
  readonly onProgress?: (progress: { sentBytes: number; totalBytes: number }) => void;
}

/** What a delivery came to. */
export interface Delivery {
  readonly tree: string;
  /** `present` where the base was that tree already. */
  readonly kind: "present" | "delta" | "full";
  /** Bytes that went out in this call. */
  readonly sentBytes: number;
}
