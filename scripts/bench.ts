import { parseArgs } from "node:util";
import { benchCampaign } from "./bench/campaign.ts";
import { benchCanary } from "./bench/canary.ts";
import { benchColdStart } from "./bench/cold-start.ts";
import { benchIdleActors } from "./bench/idle-actors.ts";
import type { BenchRow } from "./bench/row.ts";
import { benchRemote } from "./bench/remote.ts";
import { benchTransitions } from "./bench/transitions.ts";

/**
 * Measures sidecanary beside the bare thing, in one run: ratios, not claims. `--smoke` runs every row
 * once at a fraction of its size, to show that it runs at all. Names choose rows.
 */
const benches: readonly (readonly [string, (smoke: boolean) => Promise<readonly BenchRow[]>])[] = [
  ["transitions", benchTransitions],
  ["idle", benchIdleActors],
  ["cold-start", benchColdStart],
  ["campaign", benchCampaign],
  ["remote", benchRemote],
  ["canary", benchCanary],
];

const { values, positionals } = parseArgs({
  options: { smoke: { type: "boolean", default: false } },
  allowPositionals: true,
});

for (const [name, bench] of benches) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`\n${name}${values.smoke ? " (smoke: sizes too small to mean anything)" : ""}`);
  for (const row of await bench(values.smoke)) {
    const verdict = row.met === undefined || values.smoke ? "" : row.met ? "  met" : "  MISSED";
    console.log(`  ${row.what.padEnd(58)} ${row.figure}`);
    if (row.target !== undefined) console.log(`  ${"".padEnd(58)} target ${row.target}${verdict}`);
  }
}
