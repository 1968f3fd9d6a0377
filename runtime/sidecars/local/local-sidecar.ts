import type { Sidecar } from "../provider.ts";

/** What is left of a sidecar where no connection lies between it and us. */
export type LocalSidecar = Pick<Sidecar, "id" | "open" | "freeze" | "alive" | "destroy">;
