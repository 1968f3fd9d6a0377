export { type Clock, systemClock } from "./clock.ts";
export {
  type AnySidecanaryError,
  type ErrorCode,
  type ErrorDetails,
  isSidecanaryError,
  SidecanaryError,
} from "./errors.ts";
export type { Json } from "./json.ts";
export { type Random, systemRandom } from "./random.ts";

export { effectOf, openEngine, supervise, VirtualClock } from "./engine/mod.ts";
export type {
  ActorState,
  ActorView,
  Announcement,
  AnnouncementFilter,
  Answer,
  ChildSpec,
  Committed,
  DeliverOptions,
  Delivery,
  EffectInfo,
  Engine,
  EngineOptions,
  ErrorData,
  EventData,
  FaultPoint,
  Logic,
  Problem,
  RegisterOptions,
  StartOptions,
  SuperviseSpec,
  TransactAnswer,
  WaitOptions,
} from "./engine/mod.ts";

export { openMemoryStore, openSqliteStore } from "./store/mod.ts";
export type { MemoryStoreOptions, SqliteStoreOptions } from "./store/mod.ts";
export type { ActorRow, JournalRow, RecordRow, RecordWrite, Store } from "./store/store.ts";

export { type HostsTarget, openHosts, type OpenHostsOptions } from "./sidecars/open-hosts.ts";
export type { Host, HostExec, HostExit, HostTerminal, TerminalOptions } from "./sidecars/host.ts";
export type { HostProvider, HostRef, HostSpec } from "./sidecars/host-provider.ts";
export type { HostFault, HostFaultDetails, HostFaultKind } from "./host-fault.ts";

export { readVariants } from "./variants/read.ts";
export { runCampaign } from "./variants/run-campaign.ts";
export { type KillExitCodePreset, killExitCodePresets } from "./variants/kill-exit-codes.ts";
export type {
  CampaignRequest,
  HostsChoice,
  HostsContext,
  HostSetup,
  KillExitCodes,
  Progress,
  ProjectCommand,
  RunCampaign,
} from "./variants/campaign-request.ts";
export type { UnmeasuredReason } from "./variants/judge.ts";
export type {
  CampaignReport,
  PatchLocation,
  ReportCounts,
  VariantResult,
} from "./variants/report.ts";
export type { Variant } from "./variants/variant.ts";
