import { fromCallback, fromPromise } from "xstate";
import { type Failure, isFailure } from "../../machines/failure.ts";
import type { SidecarPorts } from "../../machines/sidecar/ports.ts";
import { isSidecanaryError } from "../errors.ts";
import type { ActorView } from "../engine/actor-view.ts";
import type { Json } from "../json.ts";
import { bootFailure, workFailure } from "../sidecars/host-failed.ts";
import type { Sidecar } from "../sidecars/provider.ts";
import { sidecarName } from "./campaign-report.ts";
import type { Worker } from "./lease-desk.ts";
import { report, type Session } from "./session.ts";

/**
 * The code of a loss that came with the end of an earlier process. It is not the sidecar's fault: who
 * had it waits for the new one.
 */
export const PROCESS_ENDED = "process-ended";

/** How often a sidecar is asked whether it lives, in ms. */
const WATCH_MS = 5_000;

/** The ports of the sidecar machine over the campaign's provider. */
export function sidecarPorts(
  sessionOf: (sidecar: string) => Session,
  /** A host is up on which builds and baseline have not run, though they have on others. */
  onUnproven: (worker: Worker) => void = () => {},
): SidecarPorts {
  /** For which visit of booting each sidecar was made anew already. */
  const renewed = new Map<string, number>();
  return {
    boot: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      const fresh = input.fresh && renewed.get(worker.id) !== input.since;
      try {
        const before = worker.sidecar;
        worker.sidecar = undefined;
        worker.isProven &&= isLocal(session);
        session.desk.pump();
        await worker.settled;
        if (isLocal(session)) await before?.destroy();
        worker.sidecar = await session.provider.create({ worker: worker.index, fresh }, signal);
        if (fresh) renewed.set(worker.id, input.since);
      } catch (error) {
        throw bootFailureOf(error);
      }
      return { endpoint: { sidecar: worker.sidecar.id, owner: session.engine.owner } };
    }),

    sync: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.sidecar);
      const name = sidecarName(session.provider.kind, input.sidecar);
      try {
        await made(workerOf(session, input.sidecar)).sync(signal, (progress) => {
          report(session, { type: "sync", sidecar: name, ...progress });
        });
      } catch (error) {
        throw bootFailureOf(error);
      }
    }),

    attach: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      try {
        await made(worker).attach(signal);
      } catch (error) {
        throw workFailureOf(error);
      }
      void takeUp(session, worker, signal);
    }),

    watch: fromCallback(({ input, sendBack }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      const { clock } = session;
      const lose = (failure: Failure) => sendBack({ type: "LOST", failure });
      const endpoint = input.endpoint as { readonly owner?: string } | null;
      const sidecar = worker.sidecar;
      if (sidecar === undefined || endpoint?.owner !== session.engine.owner) {
        // One of this machine ended with its process; a host stands, and is taken over when this
        // process boots its sidecars.
        if (isLocal(session)) lose(processEnded);
        return;
      }
      let timer: unknown;
      const look = async () => {
        if (!(await sidecar.alive())) return lose(lost("It does not answer."));
        if (worker.lose === lose) timer = clock.setTimeout(() => void look(), WATCH_MS);
      };
      const isUnproven = !isLocal(session) && !worker.isProven && session.baselineMs.size > 0;
      worker.isDoubted ||= isUnproven;
      worker.isUp = true;
      worker.lose = lose;
      const leave = sidecar.onDisconnect((error) => {
        worker.isUp = false;
        sendBack({ type: "DISCONNECTED", failure: workFailureOf(error) });
      });
      if (isLocal(session)) timer = clock.setTimeout(() => void look(), WATCH_MS);
      if (isUnproven) onUnproven(worker);
      session.desk.pump();
      return () => {
        leave();
        clock.clearTimeout(timer);
        worker.isUp = false;
        worker.lose = undefined;
        session.desk.pump();
      };
    }),

    destroy: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      try {
        await worker.settled;
        await worker.sidecar?.destroy();
        worker.sidecar = undefined;
        // What an earlier process or a lost reply has left under the name.
        await session.provider.remove(worker.index, signal);
      } catch (error) {
        throw bootFailureOf(error);
      }
    }),
  };
}

const processEnded: Failure = {
  code: PROCESS_ENDED,
  message: "It ended with the process that had made it.",
  class: "sidecar-lost",
};

/** Leases are refused until the actor itself is attached, which comes after its port has answered. */
async function takeUp(session: Session, worker: Worker, signal: AbortSignal): Promise<void> {
  const { sidecar } = worker;
  const isOver = ({ status, value }: ActorView) =>
    status !== "active" || matches(value, "attached") || !matches(value, "reattaching");
  try {
    await session.engine.waitFor(worker.id, isOver, { signal: session.signal });
  } catch (error) {
    // The campaign is over, and so is the waiting.
    if (!session.signal.aborted && !signal.aborted) session.fail(error);
    return;
  }
  if (worker.sidecar !== sidecar || worker.lose === undefined) return;
  worker.isUp = true;
  session.desk.pump();
}

function matches(value: Json, connection: string): boolean {
  const { up } = (value ?? {}) as { readonly up?: { readonly connection?: unknown } };
  const at = up?.connection;
  return at === connection || (typeof at === "object" && at !== null && connection in at);
}

/** Whether the sidecars are sandboxes of this machine, which end with this process. */
function isLocal({ request }: Session): boolean {
  return request.hosts === null;
}

function made({ sidecar }: Worker): Sidecar {
  if (sidecar === undefined) throw lost("It was not made by this process.");
  return sidecar;
}

/** What a provider or a sidecar threw while it came up or went away. */
function bootFailureOf(error: unknown): Failure {
  if (isFailure(error)) return error;
  return isSidecanaryError(error, "host-failed") ? bootFailure(error) : failureOf(error);
}

/** What a sidecar threw that has been up. */
function workFailureOf(error: unknown): Failure {
  if (isFailure(error)) return error;
  return isSidecanaryError(error, "host-failed") ? workFailure(error) : failureOf(error);
}

/** What nothing else is known of: worth another try. */
function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { code: "sidecar-failed", message, class: "transient" };
}

function lost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}

function workerOf({ desk }: Session, id: string): Worker {
  const worker = desk.workers.find((each) => each.id === id);
  if (worker !== undefined) return worker;
  throw { code: "sidecar-unknown", message: `"${id}" is no worker`, class: "permanent" };
}
