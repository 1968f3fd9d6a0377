import { join } from "node:path";
import type { Host } from "../../runtime/sidecars/host.ts";
import {
  type DeliverOptions,
  deliverPayload,
  type Delivery,
} from "../../runtime/sidecars/remote/deliver.ts";
import { openWorkspace, type Workspace } from "../../runtime/sidecars/remote/workspace.ts";
import { capturePayload } from "../../runtime/sync/capture.ts";
import type { Payload } from "../../runtime/sync/payload.ts";
import { type PayloadPacker, payloadPacker } from "../../runtime/sync/payload-packer.ts";
import { gitRepo } from "./git-repo.ts";
import { type ShellHost, shellHost } from "./shell-host.ts";
import { tempDir } from "./temp-dir.ts";

/** Never aborted. */
export const CALM = new AbortController().signal;

/** A user's project, and what is sent of it. */
export interface Project {
  readonly dir: string;
  /** Changes the project. */
  readonly sh: (script: string) => Promise<string>;
  /** Captures what is there now; packs go to one store. */
  readonly capture: () => Promise<{ readonly payload: Payload; readonly pack: PayloadPacker }>;
}

/** A project made by a bash script, see {@link gitRepo}. */
export async function project(script: string): Promise<Project> {
  const repo = await gitRepo(script);
  const store = await tempDir();
  return {
    dir: repo.dir,
    sh: repo.sh,
    capture: async () => {
      const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
      return { payload, pack: payloadPacker({ payload, store }) };
    },
  };
}

/** A machine with a home of its own, to which many connections can be made. */
export interface Machine {
  readonly home: string;
  readonly connect: () => ShellHost;
  readonly open: () => Promise<Workspace>;
}

/** Answers a machine whose home is a new folder. */
export async function machine(env: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const home = join(await tempDir(), "a home");
  const connect = () => shellHost({ env: { HOME: home, XDG_CACHE_HOME: "", ...env } });
  return {
    home,
    connect,
    open: () => openWorkspace(connect(), { name: "spec", signal: CALM }),
  };
}

/** Delivers what a project holds now. */
export async function deliver(
  from: Project,
  host: Host,
  workspace: Workspace,
  options: Partial<DeliverOptions> = {},
): Promise<Delivery> {
  const { payload, pack } = await from.capture();
  return await deliverPayload(host, workspace, {
    pack,
    tree: payload.tree,
    signal: CALM,
    ...options,
  });
}

/** A connection that is lost when so many bytes were given to standard inputs. */
export function lostAfter(host: ShellHost, bytes: number): Host {
  let left = bytes;
  return {
    ...host,
    exec: ({ stdin, ...request }) => {
      if (stdin === undefined || stdin instanceof Uint8Array) return host.exec(request);
      const torn = async function* () {
        for await (const chunk of stdin) {
          const part = chunk.subarray(0, left);
          left -= part.length;
          yield part;
          if (left === 0) return host.cut();
        }
      };
      return host.exec({ ...request, stdin: torn() });
    },
  };
}
