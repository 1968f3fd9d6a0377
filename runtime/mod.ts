export { type Clock, systemClock } from "./clock.ts";
export { type AnySidecanaryError, type ErrorCode, type ErrorDetails } from "./errors.ts";
export { isSidecanaryError, SidecanaryError } from "./errors.ts";
export type { Json } from "./json.ts";
export { type Random, systemRandom } from "./random.ts";

export {
  type ActorState,
  type ActorView,
  type Announcement,
  type AnnouncementFilter,
  type Answer,
  type Applied,
  type Change,
  changesBetween,
  type Committed,
  type DeadLetter,
  type DeadLetterReason,
  defineLogic,
  type DeliverOptions,
  type Delivery,
  type Duplicate,
  type Earlier,
  type EffectInfo,
  effectOf,
  type Engine,
  type EngineOptions,
  type ErrorData,
  type EventData,
  type EventDelivery,
  type FaultPoint,
  type LiveInvoke,
  type Logic,
  type LogicOptions,
  openEngine,
  type PendingTimer,
  type Problem,
  type RegisterOptions,
  type SnapshotData,
  type StartDelivery,
  type StartOptions,
  type TransactAnswer,
  VirtualClock,
  type WaitOptions,
} from "./engine/mod.ts";

export type { RecordRow, RecordWrite, Store } from "./store/store.ts";
export {
  type MemoryStoreOptions,
  openMemoryStore,
  openSqliteStore,
  type SqliteStoreOptions,
} from "./store/mod.ts";

export type {
  CampaignRequest,
  KillExitCodes,
  Progress,
  ProjectCommand,
  RunCampaign,
} from "./variants/campaign-request.ts";
export type { UnmeasuredReason } from "./variants/judge.ts";
export { type KillExitCodePreset, killExitCodePresets } from "./variants/kill-exit-codes.ts";
export type {
  CampaignReport,
  PatchLocation,
  ReportCounts,
  VariantResult,
} from "./variants/report.ts";
export { runCampaign } from "./variants/run-campaign.ts";
export type { Variant } from "./variants/variant.ts";
