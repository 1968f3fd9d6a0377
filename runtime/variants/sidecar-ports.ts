import { fromCallback, fromPromise } from "xstate";
import type { Failure } from "../../machines/failure.ts";
import type { SidecarPorts } from "../../machines/sidecar/ports.ts";
import type { Worker } from "./lease-desk.ts";
import type { Session } from "./session.ts";

/**
 * The code of a loss that came with the end of an earlier process. It is not the sidecar's fault: who
 * had it waits for the new one.
 */
export const PROCESS_ENDED = "process-ended";

/** How often a sidecar is asked whether it lives, in ms. */
const WATCH_MS = 5_000;

/** The ports of the sidecar machine over a provider whose sidecars end with this process. */
export function sidecarPorts(sessionOf: (sidecar: string) => Session): SidecarPorts {
  return {
    boot: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      try {
        const before = worker.sidecar;
        worker.sidecar = undefined;
        await worker.settled;
        await before?.destroy();
        worker.sidecar = await session.provider.create({ worker: worker.index }, signal);
      } catch (error) {
        throw failureOf(error, "sidecar-failed");
      }
      return { endpoint: { sidecar: worker.sidecar.id, owner: session.engine.owner } };
    }),

    sync: fromPromise(async ({ input, signal }) => {
      const { sidecar } = workerOf(sessionOf(input.sidecar), input.sidecar);
      if (sidecar === undefined) throw lost("It was not made by this process.");
      try {
        await sidecar.sync(signal);
      } catch (error) {
        throw failureOf(error, "sidecar-failed");
      }
    }),

    attach: fromPromise(async ({ input, signal }) => {
      const { sidecar } = workerOf(sessionOf(input.sidecar), input.sidecar);
      if (sidecar === undefined) throw lost("It was not made by this process.");
      try {
        await sidecar.attach(signal);
      } catch (error) {
        throw failureOf(error, "sidecar-failed");
      }
    }),

    watch: fromCallback(({ input, sendBack }) => {
      const session = sessionOf(input.sidecar);
      const worker = workerOf(session, input.sidecar);
      const { clock } = session;
      const lose = (failure: Failure) => sendBack({ type: "LOST", failure });
      const endpoint = input.endpoint as { readonly owner?: string } | null;
      const sidecar = worker.sidecar;
      if (sidecar === undefined || endpoint?.owner !== session.engine.owner) {
        lose({
          code: PROCESS_ENDED,
          message: "It ended with the process that had made it.",
          class: "sidecar-lost",
        });
        return;
      }
      let timer: unknown;
      const look = async () => {
        if (!(await sidecar.alive())) return lose(lost("It does not answer."));
        if (worker.lose === lose) timer = clock.setTimeout(() => void look(), WATCH_MS);
      };
      worker.isUp = true;
      worker.lose = lose;
      timer = clock.setTimeout(() => void look(), WATCH_MS);
      session.desk.pump();
      return () => {
        clock.clearTimeout(timer);
        worker.isUp = false;
        worker.lose = undefined;
      };
    }),

    destroy: fromPromise(async ({ input }) => {
      const worker = workerOf(sessionOf(input.sidecar), input.sidecar);
      try {
        await worker.settled;
        await worker.sidecar?.destroy();
        worker.sidecar = undefined;
      } catch (error) {
        throw failureOf(error, "sidecar-failed");
      }
    }),
  };
}

/** What a provider threw, for a machine: worth another try unless it cannot work here at all. */
export function failureOf(error: unknown, code: string): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { code, message, class: "transient" };
}

function lost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}

function workerOf({ desk }: Session, id: string): Worker {
  const worker = desk.workers.find((each) => each.id === id);
  if (worker !== undefined) return worker;
  throw { code: "sidecar-unknown", message: `"${id}" is no worker`, class: "permanent" };
}
