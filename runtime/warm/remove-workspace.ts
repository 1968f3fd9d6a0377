import { hostFailed } from "../sidecars/host-failed.ts";
import type { HostProvider, HostRef } from "../sidecars/host-provider.ts";
import { openWorkspace } from "../sidecars/remote/workspace.ts";
import { askHost } from "../sidecars/remote/workspace-ask.ts";
import { assign, LOCK, PRELUDE } from "../sidecars/remote/workspace-script.ts";
import type { WarmLink } from "./warm-ports.ts";

/** Ends what the pid files of a workspace name, with its process group, and removes the folder. */
const REMOVE = `${PRELUDE}${LOCK}${String.raw`
for file in "$dir"/*.pid; do
  [ -f "$file" ] || continue
  while read -r pid start; do
    holds "$pid" "$start" || continue
    kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null
  done <"$file"
done
chmod -R u+rwx "$dir" 2>/dev/null
tries=0
until rm -rf "$dir" 2>/dev/null && [ ! -e "$dir" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 20 ] || fail write
done
say done
`}`;

/**
 * Removes our workspace from a machine that outlives us. That it is gone already is success.
 *
 * @param link a connection that stands, where there is one
 * @throws SidecanaryError `host-failed`
 */
export async function removeWorkspace(
  provider: HostProvider,
  ref: HostRef,
  link: WarmLink | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (link !== undefined) return await remove(link, signal);
  const host = await provider.connect(ref, signal);
  try {
    await remove(
      { host, workspace: await openWorkspace(host, { name: ref.name, signal }) },
      signal,
    );
  } finally {
    await host.close();
  }
}

async function remove({ host, workspace }: WarmLink, signal: AbortSignal): Promise<void> {
  const { dir } = workspace;
  const answer = await askHost(host, { command: assign({ dir }) + REMOVE, signal });
  if (answer.failed === undefined) return;
  throw hostFailed(
    `The folder ${dir} on ${host.name} could not be removed. Remove it there`,
    { host: host.name, fault: "sandbox-refused", kind: "same-connection" },
  );
}
