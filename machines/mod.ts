export {
  backoff,
  bootRetryDefaults,
  retryDefaults,
  type RetryPolicy,
  syncRetryDefaults,
} from "./backoff.ts";
export { type Failure, type FailureClass, isFailure, reasonOf, toFailure } from "./failure.ts";
export { callbackPort, type JsonValue, promisePort, tellAction, type TellParams } from "./ports.ts";

export { variantRunMachine } from "./variant-run/machine.ts";
export { provideVariantRun } from "./variant-run/provide.ts";
export type { VariantRunContext } from "./variant-run/context.ts";
export type {
  PastFailure,
  VariantRunEmitted,
  VariantRunEvent,
  VariantRunInput,
  VariantRunPhase,
} from "./variant-run/events.ts";
export type {
  Lease,
  LeaseInput,
  Patched,
  ReleaseParams,
  SidecarWorkInput,
  TestInput,
  VariantRunPorts,
} from "./variant-run/ports.ts";
export type { TestOutcome, Verdict, VerdictStatus } from "./variant-run/verdict.ts";

export { sidecarMachine } from "./sidecar/machine.ts";
export { provideSidecar } from "./sidecar/provide.ts";
export type { SidecarContext } from "./sidecar/context.ts";
export type {
  DisconnectedEvent,
  LostEvent,
  SidecarEmitted,
  SidecarEvent,
  SidecarInput,
  SidecarOutput,
  SidecarPhase,
} from "./sidecar/events.ts";
export type {
  AttachInput,
  Booted,
  BootInput,
  DestroyInput,
  SidecarPorts,
  SyncInput,
  WatchInput,
} from "./sidecar/ports.ts";

export { campaignMachine } from "./campaign/machine.ts";
export { provideCampaign } from "./campaign/provide.ts";
export type { CampaignContext } from "./campaign/context.ts";
export type {
  CampaignCounts,
  CampaignEmitted,
  CampaignEnd,
  CampaignEvent,
  CampaignInput,
  CampaignOutput,
  PoolEvent,
  StatusCounts,
} from "./campaign/events.ts";
export type {
  Baseline,
  CampaignPorts,
  CampaignWorkInput,
  Closed,
  CloseInput,
  PoolInput,
  Preflight,
} from "./campaign/ports.ts";

export { supervisorMachine } from "./supervisor/machine.ts";
export type { SupervisorContext } from "./supervisor/decide.ts";
export type {
  SupervisedChild,
  SupervisorEvent,
  SupervisorInput,
  SupervisorOutput,
  SupervisorStrategy,
} from "./supervisor/events.ts";

export { canaryVersionMachine } from "./canary-version/machine.ts";
export type { CanaryVersionContext } from "./canary-version/context.ts";
export type {
  CanaryEnding,
  CanaryVersionAnnouncement,
  CanaryVersionEmitted,
  CanaryVersionEvent,
  CanaryVersionInput,
  CanaryVersionOutput,
  CanaryVersionStatus,
  CanaryVersionTold,
  Cause,
  Decision,
} from "./canary-version/events.ts";
