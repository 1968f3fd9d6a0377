import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkoutPayload } from "../../sync/checkout.ts";
import { runGit } from "../../sync/git.ts";
import type { Payload } from "../../sync/payload.ts";
import { createLocalProvider, type LocalProvider } from "./local-provider.ts";
import type { LocalKind } from "./probe.ts";

/** What {@link openLocalProvider} needs. */
export interface OpenLocalOptions {
  readonly payload: Payload;
  /** A folder that is not there yet: the payload is written to it. The caller removes it. */
  readonly checkout: string;
  /** Where layers and copies may go first. */
  readonly scratch: string;
  /** `auto` takes the best that works. */
  readonly isolation: "auto" | LocalKind;
  readonly signal: AbortSignal;
}

/**
 * Writes the payload out and finds the best isolation that works here.
 *
 * @throws SidecanaryError `sandbox-unavailable`, `git-failed`
 */
export async function openLocalProvider(options: OpenLocalOptions): Promise<LocalProvider> {
  const { payload, checkout, scratch, isolation, signal } = options;
  await mkdir(checkout, { recursive: true, mode: 0o700 });
  await checkoutPayload(payload, checkout, { signal });
  return await createLocalProvider({
    root: payload.root,
    cwd: join(payload.root, payload.cwd),
    checkout,
    protect: await gitFolders(payload, signal),
    scratch: [scratch],
    ...(isolation === "auto" ? {} : { kind: isolation }),
    signal,
  });
}

/** Where a linked worktree's repository is: commands must not change it either. */
async function gitFolders(payload: Payload, signal: AbortSignal): Promise<string[]> {
  if (!payload.repository) return [];
  const args = ["rev-parse", "--git-common-dir"];
  const found = await runGit(args, { cwd: payload.root, config: "user", signal });
  if (found.exitCode !== 0) return [];
  const path = resolve(payload.root, found.stdout.toString("utf8").replace(/\n$/, ""));
  return path.startsWith(`${payload.root}/`) ? [] : [path];
}
