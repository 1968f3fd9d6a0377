import { cp, readdir, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { CampaignRequest } from "./campaign-request.ts";
import type { Records } from "./records.ts";
import type { CampaignReport } from "./report.ts";
import { collections } from "./session.ts";
import type { StateFolder } from "../state-folder.ts";

/** How many campaigns of a working tree keep their logs and rows. */
const KEPT_CAMPAIGNS = 5;

/** Forgets the logs and rows of all but the last campaigns. */
export async function pruneLogs(records: Records, { logs }: StateFolder): Promise<void> {
  const numbered = (await readdir(logs)).map((name) => ({ name, at: Number(name.split("-")[1]) }));
  numbered.sort((a, b) => b.at - a.at);
  for (const { name } of numbered.slice(KEPT_CAMPAIGNS)) {
    await rm(join(logs, name), { recursive: true, force: true });
    for (const collection of Object.values(collections)) await records.drop(collection(name));
  }
}

/** Copies the whole logs to where they were asked for, and points there. */
export async function withLogs(
  result: CampaignReport,
  { output }: CampaignRequest,
  logs: string,
): Promise<CampaignReport> {
  if (output === null) return result;
  const target = join(resolve(output), "logs");
  await rm(target, { recursive: true, force: true });
  await cp(logs, target, { recursive: true });
  const moved = (path: string) => join(target, relative(logs, path));
  return {
    ...result,
    results: result.results.map((each) =>
      each.logs === undefined ? each : {
        ...each,
        logs: { stdout: moved(each.logs.stdout), stderr: moved(each.logs.stderr) },
      }
    ),
  };
}
