import process from "node:process";
import type { CampaignRequest } from "../../../runtime/variants/campaign-request.ts";
import { runCampaign } from "../../../runtime/variants/run-campaign.ts";
import { hastyClock } from "../hasty-clock.ts";
import { shellHosts } from "../shell-hosts.ts";

// Runs the campaign that is told as JSON in the first argument on hosts with homes of their own below
// the folder in the second one; each progress is a line of JSON on standard output.
const [told = "{}", cache = "", kind = "", lanes = "1"] = process.argv.slice(2);
const hosts = shellHosts(cache, { apart: true, disposable: kind === "disposable" });
await runCampaign({
  ...JSON.parse(told) as CampaignRequest,
  hosts: {
    label: "hosts of a spec",
    lanes: Number(lanes),
    setup: null,
    open: () => Promise.resolve(hosts),
  },
  signal: new AbortController().signal,
  onProgress: (progress) => void process.stdout.write(`${JSON.stringify(progress)}\n`),
  clock: hastyClock(25),
  random: Math.random,
});
