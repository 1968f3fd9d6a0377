import { createInterface } from "node:readline";
import type { CampaignRequest, Progress } from "../../runtime/variants/campaign-request.ts";
import { spawnScript } from "../kit/run-script.ts";

/**
 * Runs a campaign in a process of its own that is killed at a point. Answers the variants whose
 * verdicts it told, and whether it came to the point at all.
 */
export async function killCampaign(
  request: CampaignRequest,
  isPoint: (progress: Progress, verdicts: number) => boolean,
): Promise<{ readonly seen: readonly string[]; readonly isKilled: boolean }> {
  const child = spawnScript("kit/children/campaign.ts", [JSON.stringify(request)]);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const seen: string[] = [];
  let isKilled = false;
  if (child.stdout === null) throw new TypeError("no pipe");
  for await (const line of createInterface({ input: child.stdout })) {
    if (isKilled) continue;
    const progress = JSON.parse(line) as Progress;
    if (progress.type === "verdict") seen.push(progress.result.id);
    if (!isPoint(progress, seen.length)) continue;
    child.kill("SIGKILL");
    isKilled = true;
  }
  const code = await ended;
  if (!isKilled && code !== 0) throw new Error(`the campaign failed: ${stderr}`);
  return { seen, isKilled };
}
