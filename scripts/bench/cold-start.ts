import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.ts";
import { type BenchRow, median } from "./row.ts";

/** What `sidecanary --version` and `--help` cost above the bare runtime. */
export async function benchColdStart(smoke: boolean): Promise<BenchRow[]> {
  const cli = join(import.meta.dirname ?? ".", "../../dist/cli.js");
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run `npm run build` first");
  const runs = smoke ? 2 : 21;
  const rows: BenchRow[] = [];
  for (const option of ["--version", "--help"]) {
    const bare: number[] = [], ours: number[] = [];
    for (let n = 0; n < runs; n++) {
      bare.push((await run("node", ["-e", "0"], { cwd: "." })).ms);
      ours.push((await run("node", [cli, option], { cwd: "." })).ms);
    }
    const above = median(ours) - median(bare);
    rows.push({
      what: `sidecanary ${option}, beside node -e 0`,
      figure: `${median(ours).toFixed(0)} ms, ${median(bare).toFixed(0)} ms: ${
        above.toFixed(0)
      } above`,
      target: "≤ 60 ms above",
      met: above <= 60,
    });
  }
  return rows;
}
