import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CampaignReport } from "../../runtime/variants/report.ts";
import { run } from "../run.ts";
import type { BenchRow } from "./row.ts";

interface Sizes {
  /** Files in the tree, most of them ignored, as under node_modules. */
  readonly files: number;
  readonly variants: number;
  readonly seconds: number;
  readonly workers: number;
}

/** A campaign on a large tree, beside a loop that copies the tree for every variant. */
export async function benchCampaign(smoke: boolean): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const sizes: readonly Sizes[] = smoke
    ? [{ files: 300, variants: 4, seconds: 0.1, workers: 2 }]
    : [
      { files: 30_000, variants: 40, seconds: 1, workers: 2 },
      { files: 30_000, variants: 40, seconds: 4, workers: 2 },
    ];
  for (const size of sizes) rows.push(...await measure(size, smoke));
  return rows;
}

async function measure(size: Sizes, smoke: boolean): Promise<BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), "sidecanary-bench-"));
  try {
    const project = join(dir, "project");
    const variants = await makeProject(project, size);
    const cli = join(import.meta.dirname ?? ".", "../../dist/cli.js");
    const command = `node check.cjs ${size.seconds}`;
    const ended = await run("node", [
      cli,
      "variants",
      variants,
      "--command",
      command,
      "--jobs",
      String(size.workers),
      "--format",
      "json",
      "--output",
      join(dir, "out"),
      "--exit-zero",
      "--quiet",
    ], { cwd: project, env: { XDG_STATE_HOME: join(dir, "state") } });
    if (ended.code !== 0) throw new Error(ended.output);
    const report = JSON.parse(
      await readFile(join(dir, "out", "report.json"), "utf8"),
    ) as CampaignReport;
    const { overheadMs, efficiency, timings, counts } = report;
    const copies = smoke ? 1 : 2;
    const start = performance.now();
    for (let n = 0; n < copies; n++) {
      const copy = join(dir, `copy-${n}`);
      await run("cp", ["-a", project, copy], { cwd: dir });
      await run("sh", ["-c", command], { cwd: copy });
      await rm(copy, { recursive: true });
    }
    const copying = (performance.now() - start) / copies - size.seconds * 1000;
    const wanted = size.seconds >= 4 ? 0.97 : 0.91;
    const title = `${size.variants} variants, ${size.files.toLocaleString("en")} files, ` +
      `${size.seconds} s tests, ${size.workers} workers`;
    return [
      {
        what: title,
        figure: `${((overheadMs ?? Number.NaN) / 1000).toFixed(3)} s overhead a variant`,
        target: "≤ 0.10 s",
        met: (overheadMs ?? Infinity) <= 100,
      },
      {
        what: "  share of Σ command time / workers",
        figure: `${((efficiency ?? Number.NaN) * 100).toFixed(1)} %`,
        target: `≥ ${wanted * 100} %`,
        met: (efficiency ?? 0) >= wanted,
      },
      {
        what: "  preflight, baseline, running, closing",
        figure: [timings.preflightMs, timings.baselineMs, timings.runningMs, timings.closingMs]
          .map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ") +
          `; ${counts.killed} killed of ${counts.total}`,
      },
      {
        what: "  a loop that copies the tree for every variant",
        figure: `${(copying / 1000).toFixed(1)} s overhead a variant`,
      },
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function makeProject(project: string, size: Sizes): Promise<string> {
  const sources = Math.min(size.variants, 40);
  await mkdir(join(project, "src"), { recursive: true });
  for (let n = 0; n < sources; n++) {
    await writeFile(join(project, "src", `m${n}.cjs`), `module.exports = ${n};\n`);
  }
  await writeFile(join(project, ".gitignore"), "node_modules/\n");
  // Sleeps for the wanted time and fails for half of the variants.
  await writeFile(
    join(project, "check.cjs"),
    `const wrong = [];
for (let n = 0; n < ${sources}; n++) if (require("./src/m" + n + ".cjs") !== n && n % 2 === 0) wrong.push(n);
const broken = require("node:fs").readdirSync("src").length !== ${sources};
setTimeout(() => process.exit(wrong.length > 0 || broken ? 1 : 0), Number(process.argv[2]) * 1000);
`,
  );
  for (let made = sources, folder = 0; made < size.files; folder++) {
    const path = join(project, "node_modules", `p${folder}`);
    await mkdir(path, { recursive: true });
    const batch = Math.min(100, size.files - made);
    await Promise.all(
      Array.from(
        { length: batch },
        (_, n) => writeFile(join(path, `f${n}.js`), `// ${folder}/${n}\n`),
      ),
    );
    made += batch;
  }
  const git = async (...args: string[]): Promise<void> => {
    const ended = await run("git", ["-c", "user.name=b", "-c", "user.email=b@b", ...args], {
      cwd: project,
    });
    if (ended.code !== 0) throw new Error(ended.output);
  };
  await git("init", "-q");
  await git("add", "-A");
  await git("commit", "-qm", "start");
  const variants = Array.from({ length: size.variants }, (_, n) => ({
    id: `v${n}`,
    description: `m${n} is something else`,
    patch:
      `--- a/src/m${n}.cjs\n+++ b/src/m${n}.cjs\n@@ -1 +1 @@\n-module.exports = ${n};\n+module.exports = -1;\n`,
  }));
  const file = join(project, "..", "variants.json");
  await writeFile(file, JSON.stringify(variants));
  return file;
}
