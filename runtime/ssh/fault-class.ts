import type { HostFaultDetails } from "../host-fault.ts";

/** What a fault is, without the host it is about. */
export type FaultClass = Pick<HostFaultDetails, "fault" | "kind" | "detail" | "retryAfterMs">;
