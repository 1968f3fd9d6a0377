import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { deliverPayload, type Delivery } from "../sidecars/remote/deliver.ts";
import { runSetup } from "../sidecars/remote/setup.ts";
import type { StateFolder } from "../state-folder.ts";
import { capturePayload } from "../sync/capture.ts";
import { packPayload } from "../sync/pack-payload.ts";
import type { Payload } from "../sync/payload.ts";
import type { WarmLink } from "./warm-ports.ts";

/** What runs once on a host for a set of lock files. */
export interface WarmSetup {
  readonly command: string;
  readonly lockFiles: readonly string[];
}

/** What a delivery needs. */
export interface DeliverTreeOptions {
  readonly folder: StateFolder;
  readonly payload: Payload;
  readonly setup: WarmSetup | null;
  /** Send everything, whatever is there. */
  readonly full: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}

const SETUP_MS = 30 * 60_000;

/** A captured working tree, in a folder that {@link Captured.remove} removes. */
export interface Captured {
  readonly payload: Payload;
  remove(): Promise<void>;
}

/**
 * Captures the working tree as it is now. Several processes may do so at once.
 *
 * @throws SidecanaryError `payload-failed`, `git-failed`
 */
export async function captureTree(
  folder: StateFolder,
  cwd: string,
  signal: AbortSignal,
): Promise<Captured> {
  const scratch = join(folder.dir, "warm", randomBytes(8).toString("hex"));
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const remove = () => rm(scratch, { recursive: true, force: true });
  try {
    return { payload: await capturePayload({ cwd, scratch, signal }), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Brings a sidecar to the captured tree, as a difference to what it has, has it proved there, and
 * runs the setup where it was not run for these lock files.
 *
 * @throws SidecanaryError `host-failed`
 */
export async function deliverTree(
  { host, workspace }: WarmLink,
  options: DeliverTreeOptions,
): Promise<Delivery> {
  const { folder, payload, setup, full, clock, signal, onNotice } = options;
  const store = join(folder.dir, "packs");
  const delivery = await deliverPayload(host, workspace, {
    tree: payload.tree,
    pack: (have) => packPayload({ payload, store, against: full ? [] : have, signal }),
    signal,
  });
  for (const warning of delivery.warnings) onNotice(warning);
  if (setup === null) return delivery;
  const { kind, restored } = await runSetup(host, workspace, {
    command: setup.command,
    ...(setup.lockFiles.length === 0 ? {} : { lockFiles: setup.lockFiles }),
    payload,
    timeoutMs: SETUP_MS,
    signal,
    clock,
  });
  if (kind === "ran") onNotice(`the setup "${setup.command}" ran on ${host.name}`);
  for (const path of restored) onNotice(`the setup changed "${path}"; it was put back`);
  return delivery;
}
