import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "../../../runtime/clock.ts";
import type { HostExec } from "../../../runtime/sidecars/host.ts";
import type { HostProvider } from "../../../runtime/sidecars/host-provider.ts";
import type { Provider } from "../../../runtime/sidecars/provider.ts";
import {
  createRemoteProvider,
  type RemoteOptions,
} from "../../../runtime/sidecars/remote/remote-provider.ts";
import { capturePayload } from "../../../runtime/sync/capture.ts";
import type { Payload } from "../../../runtime/sync/payload.ts";
import type { LiveTree } from "../../kit/live-tree.ts";
import { type ShellHosts, shellHosts } from "../../kit/shell-hosts.ts";
import { tempDir } from "../../kit/temp-dir.ts";

/** A payload, and hosts of this machine for it. */
export interface RemoteTree {
  readonly payload: Payload;
  readonly hosts: ShellHosts;
  /** A provider over the hosts, as another process with the same state would make it. */
  provider(options?: Partial<RemoteOptions>): Provider;
}

/** Hosts that have the tree's scratch folder for their cache. */
export async function remoteTree(
  tree: LiveTree,
  options: Partial<RemoteOptions> = {},
): Promise<RemoteTree> {
  const payload = await capturePayload({ cwd: tree.checkout, scratch: await tempDir() });
  const hosts = shellHosts(tree.scratch);
  const store = join(await tempDir(), "packs");
  mkdirSync(store);
  return {
    payload,
    hosts,
    provider: (more = {}) =>
      createRemoteProvider({
        hosts: withShell(hosts),
        payload,
        owner: "abcdefgh",
        run: "spec",
        lanesPerHost: 4,
        ttlMs: 3_600_000,
        store,
        clock: systemClock,
        onNotice: () => {},
        ...options,
        ...more,
      }),
  };
}

/** `SPEC_HOST_SHELL` and `SPEC_HOST_PATH` of the environment give hosts another shell and tools. */
function withShell(hosts: ShellHosts): HostProvider {
  const { SPEC_HOST_SHELL: shell, SPEC_HOST_PATH: path = process.env["PATH"] ?? "" } = process.env;
  if (shell === undefined) return hosts;
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  return {
    ...hosts,
    connect: async (ref, signal) => {
      const host = await hosts.connect(ref, signal);
      const exec = (request: HostExec) => {
        const command = `PATH=${quote(path)} exec ${shell} -c ${quote(request.command)}`;
        return host.exec({ ...request, command });
      };
      return { ...host, exec };
    },
  };
}

/** Brings along what a tree has beside its payload, as a setup that installs and clones does. */
export function bringRest(root: string): string {
  const word = `'${root.replaceAll("'", `'\\''`)}'`;
  return `cp -a --update=none ${word}/. . 2>/dev/null || cp -an ${word}/. . 2>/dev/null
    if [ -f .git ]; then
      rm .git && git clone -q --no-hardlinks ${word} cloned && mv cloned/.git . && rm -rf cloned
    fi
    find ${word} -mindepth 1 ! -readable -prune -exec sh -c '
      root=$1; shift
      for f do
        rest=\${f#"$root/"}
        [ -e "$rest" ] || { if [ -d "$f" ]; then mkdir -p "$rest"; else : > "$rest"; fi; }
        chmod 0 "$rest"
      done' sh ${word} {} +
    true`;
}
