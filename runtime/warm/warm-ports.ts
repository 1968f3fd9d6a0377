import { fromCallback, fromPromise } from "xstate";
import type { SidecarPorts } from "../../machines/sidecar/ports.ts";
import type { JsonValue } from "../../machines/ports.ts";
import type { Host } from "../sidecars/host.ts";
import { bootFailure, hostFailed, workFailure } from "../sidecars/host-failed.ts";
import type { HostProvider, HostRef } from "../sidecars/host-provider.ts";
import { openWorkspace, type Workspace } from "../sidecars/remote/workspace.ts";
import { removeWorkspace } from "./remove-workspace.ts";
import type { Where } from "./where.ts";

/** What an actor of a warm sidecar is made with. Plain data. */
export interface WarmSpec {
  /** The name of the host, which it is found again by. */
  readonly host: string;
  /** In ms since the epoch; the name says so too. */
  readonly expiresAt: number;
  readonly where: Where;
}

/** A connection to a warm sidecar. */
export interface WarmLink {
  readonly host: Host;
  readonly workspace: Workspace;
}

/** What the ports share with whoever uses the sidecar. */
export interface WarmPortsContext {
  readonly providerOf: (where: Where) => Promise<HostProvider>;
  /** The connections of this process, by actor. */
  readonly links: Map<string, WarmLink>;
}

/** The ports of the sidecar machine for one warm sidecar, whose payload is delivered when it is used. */
export function warmPorts({ providerOf, links }: WarmPortsContext): SidecarPorts {
  /** What was asked of a provider and has not been answered. */
  const creating = new Map<string, Promise<HostRef>>();
  /** Those who watch a sidecar, by actor: told of each connection that is made. */
  const watchers = new Map<string, (link: WarmLink) => void>();
  const dial = async (id: string, spec: WarmSpec, ref: HostRef, signal: AbortSignal) => {
    const provider = await providerOf(spec.where);
    const host = await provider.connect(ref, signal);
    try {
      const workspace = await openWorkspace(host, { name: spec.host, signal });
      const link = { host, workspace };
      links.set(id, link);
      watchers.get(id)?.(link);
    } catch (error) {
      await host.close();
      throw error;
    }
  };
  return {
    boot: fromPromise(async ({ input, signal }) => {
      const spec = specOf(input.spec);
      try {
        const provider = await providerOf(spec.where);
        await creating.get(input.sidecar)?.catch(() => {});
        const ref = await provider.find(spec.host, signal) ??
          await create(provider, input.sidecar, spec);
        await dial(input.sidecar, spec, ref, signal);
        return { endpoint: { ...ref } };
      } catch (error) {
        throw bootFailure(error);
      }
    }),

    // The tree that is delivered is that of whoever uses the sidecar next.
    sync: fromPromise(() => Promise.resolve()),

    attach: fromPromise(async ({ input, signal }) => {
      if (links.has(input.sidecar)) return;
      try {
        await dial(input.sidecar, specOf(input.spec), refOf(input.endpoint), signal);
      } catch (error) {
        throw workFailure(error);
      }
    }),

    watch: fromCallback(({ input, sendBack }) => {
      const link = links.get(input.sidecar);
      const disconnected = (error: unknown) =>
        sendBack({ type: "DISCONNECTED", failure: workFailure(error) });
      let isOver = false;
      const follow = (now: WarmLink): void => {
        void now.host.closed.then((error) => {
          if (isOver || links.get(input.sidecar) !== now) return;
          links.delete(input.sidecar);
          disconnected(error ?? notConnected(input.sidecar));
        });
      };
      watchers.set(input.sidecar, follow);
      if (link === undefined) disconnected(notConnected(input.sidecar));
      else follow(link);
      return () => {
        isOver = true;
        if (watchers.get(input.sidecar) === follow) watchers.delete(input.sidecar);
      };
    }),

    destroy: fromPromise(async ({ input, signal }) => {
      const spec = specOf(input.spec);
      try {
        const provider = await providerOf(spec.where);
        await creating.get(input.sidecar)?.catch(() => {});
        const ref = input.endpoint === null
          ? await provider.find(spec.host, signal)
          : refOf(input.endpoint);
        if (ref !== undefined) {
          if (!provider.disposable) {
            const link = links.get(input.sidecar);
            await removeWorkspace(provider, ref, link, signal);
          }
          await hangUp(links, input.sidecar);
          await provider.destroy(ref, signal);
        }
      } catch (error) {
        throw bootFailure(error);
      }
    }),
  };

  function create(provider: HostProvider, id: string, spec: WarmSpec): Promise<HostRef> {
    // Not given up with the port: what the provider has made must be known.
    const { signal } = new AbortController();
    const asked = { name: spec.host, index: 0, expiresAt: spec.expiresAt };
    const made = provider.create(asked, signal);
    creating.set(id, made);
    const forget = () => void creating.delete(id);
    made.then(forget, forget);
    return made;
  }
}

/** Ends this process's connection to a sidecar. */
export async function hangUp(links: Map<string, WarmLink>, id: string): Promise<void> {
  const link = links.get(id);
  links.delete(id);
  await link?.host.close();
}

function notConnected(host: string): Error {
  return hostFailed("There is no connection to the sidecar", {
    host,
    fault: "closed",
    kind: "reconnect",
  });
}

function specOf(spec: JsonValue): WarmSpec {
  return spec as unknown as WarmSpec;
}

function refOf(endpoint: JsonValue): HostRef {
  return endpoint as unknown as HostRef;
}
