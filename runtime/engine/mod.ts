export type {
  ActorState,
  ErrorData,
  EventData,
  LiveInvoke,
  PendingTimer,
  SnapshotData,
} from "./actor-state.ts";
export type { ActorView } from "./actor-view.ts";
export type {
  Answer,
  Applied,
  DeadLetter,
  Delivery,
  Duplicate,
  Earlier,
  EventDelivery,
  StartDelivery,
  TransactAnswer,
} from "./answer.ts";
export { openEngine } from "./engine.ts";
export type {
  Announcement,
  AnnouncementFilter,
  Committed,
  DeliverOptions,
  Engine,
  RegisterOptions,
  StartOptions,
  WaitOptions,
} from "./engine.ts";
export { defineLogic } from "./logic.ts";
export type { Logic, LogicOptions } from "./logic.ts";
export type { EngineOptions, FaultPoint, Problem } from "./options.ts";
export { effectOf } from "./run-port.ts";
export type { EffectInfo } from "./run-port.ts";
export { applyChanges, changesBetween } from "./state-change.ts";
export type { Change } from "./state-change.ts";
export type { DeadLetterReason } from "./step-result.ts";
export { supervise } from "./supervise.ts";
export type { ChildSpec, SuperviseSpec } from "./supervise.ts";
export { VirtualClock } from "./virtual-clock.ts";
