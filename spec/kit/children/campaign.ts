import process from "node:process";
import { systemClock } from "../../../runtime/clock.ts";
import type { CampaignRequest } from "../../../runtime/variants/campaign-request.ts";
import { runCampaign } from "../../../runtime/variants/run-campaign.ts";

// Runs the campaign that is told as JSON in the first argument; each progress is a line of JSON on
// standard output, the report is the last one.
const told = JSON.parse(process.argv[2] ?? "{}") as CampaignRequest;
const say = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);
const report = await runCampaign({
  ...told,
  signal: new AbortController().signal,
  onProgress: say,
  clock: systemClock,
  random: Math.random,
});
say({ type: "report", report });
