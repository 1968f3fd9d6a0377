import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CampaignRequest, ProjectCommand } from "../../variants/campaign-request.ts";
import type { PatchLocation } from "../../variants/report.ts";
import type { ChosenCommands } from "../config/choose-commands.ts";

/** What a campaign would do with a variant. */
export interface PlannedVariant {
  readonly id: string;
  readonly description: string;
  /** `run`; `duplicate` shares another's verdict; `error` is scored without being run. */
  readonly plan: "run" | "duplicate" | "error";
  readonly duplicateOf?: string;
  readonly reason?: string;
  readonly error?: string;
  readonly location?: PatchLocation;
}

/** What a campaign would do. */
export interface Plan {
  readonly schemaVersion: "1";
  /** The root of the working tree that is captured, and the folder the commands run in. */
  readonly root: string;
  readonly folder: string;
  /** The hash of the captured tree, and how many files it has. */
  readonly tree: string;
  readonly files: number;
  /** Where the commands came from. */
  readonly source: string;
  readonly builds: readonly ProjectCommand[];
  readonly commands: readonly ProjectCommand[];
  readonly workers: number;
  /** The budget of every command without its own in ms; `null`: only the baseline can tell. */
  readonly timeoutMs: number | null;
  readonly warnings: readonly string[];
  readonly variants: readonly PlannedVariant[];
}

/** Captures the working tree and tries every patch on it: `--dry-run`. Runs no command. */
export async function planVariants(
  request: CampaignRequest,
  { source, folder }: ChosenCommands,
): Promise<Plan> {
  const [{ capturePayload }, { preflight }] = await Promise.all([
    import("../../sync/capture.ts"),
    import("../../variants/preflight.ts"),
  ]);
  const { signal, variants, builds, commands, workers, timeoutMs, stateHome } = request;
  await mkdir(stateHome, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(stateHome, "dry-run-"));
  try {
    const payload = await capturePayload({ cwd: folder, scratch, signal });
    const planned = await preflight(payload, variants, { signal });
    return {
      schemaVersion: "1",
      root: payload.root,
      folder,
      tree: payload.tree,
      files: payload.files,
      source,
      builds,
      commands,
      workers,
      timeoutMs,
      warnings: payload.warnings,
      variants: planned.map((each): PlannedVariant => {
        const { id, description } = each.variant;
        const shared = { id, description, plan: each.kind };
        if (each.kind === "error") return { ...shared, reason: each.reason, error: each.message };
        const { file, line } = each.location;
        const located = { ...shared, location: { file, line } };
        return each.kind === "run" ? located : { ...located, duplicateOf: each.of };
      }),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
