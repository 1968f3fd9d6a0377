import { type SidecarInput, sidecarMachine } from "../../../machines/mod.ts";
import { PureActor } from "../../kit/pure-actor.ts";
import { failure, steady } from "../variant-run/play.ts";

export { failure, steady } from "../variant-run/play.ts";

const defaults = {
  sidecar: "sc-1",
  spec: { image: "base" },
  retry: steady,
  syncRetry: steady,
  reattachRetry: steady,
  destroyRetry: steady,
  maxRestarts: 2,
  quietMs: 60_000,
  graceMs: 5_000,
} as const;

/** A sidecar in `booting`, played by hand. */
export function play(input: Partial<SidecarInput> = {}): PureActor<typeof sidecarMachine> {
  return new PureActor(sidecarMachine, { ...defaults, ...input });
}

/** A sidecar that has booted. */
export function playSyncing(input: Partial<SidecarInput> = {}): PureActor<typeof sidecarMachine> {
  return play(input).done("boot", { endpoint: { port: 22 } });
}

/** A sidecar that is ready. */
export function playReady(input: Partial<SidecarInput> = {}): PureActor<typeof sidecarMachine> {
  return playSyncing(input).done("sync");
}

/** A sidecar that `run-1` holds. */
export function playLeased(input: Partial<SidecarInput> = {}): PureActor<typeof sidecarMachine> {
  return playReady(input).send({ type: "LEASE", by: "run-1" });
}

/** A sidecar that `run-1` holds and whose connection is being dialled again. */
export function playReattaching(
  input: Partial<SidecarInput> = {},
): PureActor<typeof sidecarMachine> {
  return playLeased(input).send(disconnected);
}

/** What the port `watch` says when a connection is lost. */
export const disconnected = {
  type: "DISCONNECTED",
  failure: failure("transient", "reset"),
} as const;
