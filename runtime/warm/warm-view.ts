import type { Failure } from "../../machines/failure.ts";
import type { SidecarOutput } from "../../machines/sidecar/events.ts";
import type { ActorView } from "../engine/actor-view.ts";
import { SidecanaryError } from "../errors.ts";
import type { HostFault } from "../host-fault.ts";
import type { Json } from "../json.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import type { WarmKey } from "./warm-key.ts";
import type { WarmRecord } from "./warm-records.ts";

/** The actor of a record. */
export function actorId({ key, generation }: WarmRecord): string {
  return `warm/${key}/${generation}`;
}

/** Whether the connection stands, in a state value of the sidecar machine. */
export function isAttached(value: Json): boolean {
  const { up } = (value ?? {}) as { readonly up?: { readonly connection?: unknown } };
  return up?.connection === "attached";
}

/** What an actor that has ended came to. */
export function outputOf({ output }: ActorView): SidecarOutput | undefined {
  return (output ?? undefined) as unknown as SidecarOutput | undefined;
}

/** Why a sidecar is gone, in words. */
export function lossOf(view: ActorView | undefined): string {
  if (view === undefined) return "its actor is not known";
  const output = outputOf(view);
  return output?.cause?.message ?? output?.failure?.message ?? output?.reason ?? view.status;
}

/** The error for a sidecar that was given up. */
export function given(view: ActorView, { host, title }: WarmRecord): SidecanaryError {
  const output = outputOf(view);
  const cause: Failure | null = output?.cause ?? output?.failure ?? null;
  const left = output?.destroyed === false ? `. ${host} may be left` : "";
  return hostFailed(
    `The sidecar ${title} could not be had: ${
      cause?.message ?? output?.reason ?? "it ended"
    }${left}`,
    { host, fault: (cause?.code ?? "gone") as HostFault, kind: "never" },
  );
}

/** The error where there is no sidecar to use: what to do to have one. */
export function none({ title }: WarmKey, why: string): SidecanaryError {
  return new SidecanaryError(
    "usage",
    `No sidecar ${title}: ${why}. Make one with sidecanary sidecar create --sidecar docker:IMAGE ` +
      '(or ssh://user@host, circleci, https://host), or write "sidecar" into sidecanary.json',
    { option: "--sidecar" },
  );
}

/** A value as plain data, as the engine stores it. */
export function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** The message of a stored error. */
export function errorText(error: Json): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : JSON.stringify(error);
}
