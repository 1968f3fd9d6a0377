import { join } from "node:path";
import type { RetryPolicy } from "../../machines/backoff.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import { openStateFolder, type StateFolder } from "../../runtime/state-folder.ts";
import { type WarmKey, warmKey } from "../../runtime/warm/warm-key.ts";
import { type UseOptions, type WarmContext, WarmSidecar } from "../../runtime/warm/warm-sidecar.ts";
import type { Where } from "../../runtime/warm/where.ts";
import { type GitRepo, gitRepo } from "../kit/git-repo.ts";
import { type ShellHosts, shellHosts } from "../kit/shell-hosts.ts";
import { tempDir } from "../kit/temp-dir.ts";

/** A retry policy that does not wait. */
export const QUICK: RetryPolicy = { maxAttempts: 4, baseMs: 1, factor: 1, capMs: 1, jitter: 0 };

export const WHERE: Where = { label: "shell", sidecars: ["ssh://shell"] };

/** A working tree with a state folder, and hosts that are shells of this machine. */
export interface WarmPlace {
  readonly repo: GitRepo;
  readonly stateHome: string;
  readonly folder: StateFolder;
  readonly hosts: ShellHosts;
  readonly notices: string[];
  readonly context: WarmContext;
  readonly key: WarmKey;
  readonly use: UseOptions;
  /** Opens the key as another process would. */
  readonly open: (key?: WarmKey, context?: Partial<WarmContext>) => Promise<WarmSidecar>;
}

export async function warmPlace(
  options: { readonly disposable?: boolean; readonly script?: string } = {},
): Promise<WarmPlace> {
  const { disposable = true, script = "" } = options;
  const repo = await gitRepo(
    `git init -q -b main; echo one >a.txt; mkdir sub; echo two >sub/b.txt; ${script}
     git add -A; git commit -qm first`,
  );
  const stateHome = join(repo.base, "state");
  const folder = await openStateFolder(join(stateHome, "sidecanary"), repo.dir);
  const hosts = shellHosts(join(await tempDir(), "cache"), { disposable });
  const notices: string[] = [];
  const context: WarmContext = {
    folder,
    open: () => Promise.resolve(hosts),
    clock: systemClock,
    random: systemRandom,
    signal: new AbortController().signal,
    onNotice: (message) => void notices.push(message),
    bootRetry: QUICK,
  };
  const key = warmKey({ kind: "name", name: "mine" });
  return {
    repo,
    stateHome,
    folder,
    hosts,
    notices,
    context,
    key,
    use: { where: WHERE, ttlMs: 3_600_000, create: true },
    open: (own = key, over = {}) => WarmSidecar.open({ ...context, ...over }, own),
  };
}
