import process from "node:process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundleSpecs, SPEC_BUNDLE } from "./bundle-specs.ts";
import { ROOT, specFiles } from "./files.ts";
import { run } from "./run.ts";
import { verdict } from "./verdict.ts";

interface Runtime {
  readonly label: string;
  readonly command: string;
  /** Deno and `source` run the TypeScript as it is, `node` runs the bundle. */
  readonly kind: "deno" | "source" | "node";
}

const USAGE = `Runs every spec file in a process of its own.

  deno run -A scripts/test.ts [--runtime RUNTIME]… [--jobs N] [--deadline S] [--xstate DIR]
    [--system] [FILTER…]

--runtime   deno; node or node:PATH, which runs the bundle; source or source:PATH, a Node that runs
            TypeScript; may be given several times; the default is deno and node
--xstate    the folder of another xstate, bundled in place of the installed one; needs node
--jobs      files at a time; the default is 2
--system    runs only the *.system.spec.ts, which need programs that npm does not bring (sshd, podman),
            and which are left out otherwise
--deadline  seconds a file may take; the default is 240
FILTER      runs only the spec files whose path contains one of these`;

await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runtime: { type: "string", multiple: true, default: ["deno", "node"] },
      jobs: { type: "string", default: "2" },
      deadline: { type: "string", default: "240" },
      xstate: { type: "string" },
      system: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const specs = (await specFiles(ROOT)).filter((path) =>
    path.endsWith(".system.spec.ts") === values.system &&
    (positionals.length === 0 || positionals.some((filter) => path.includes(filter)))
  );
  if (specs.length === 0) throw new Error(`no spec file matches ${positionals.join(" ")}`);
  const runtimes = await Promise.all(values.runtime.map(findRuntime));
  if (values.xstate !== undefined && runtimes.some((runtime) => runtime.kind !== "node")) {
    throw new Error("--xstate is built into the bundle, which only --runtime node runs");
  }
  if (runtimes.some((runtime) => runtime.kind === "node")) {
    await bundleSpecs(ROOT, specs, values.xstate && resolve(values.xstate));
  }
  let passed = 0, failed = 0;
  const lines: string[] = [];
  const counts = new Map<string, string[]>();
  for (const runtime of runtimes) {
    const sum = await runAll(runtime, specs, Number(values.jobs), Number(values.deadline) * 1000);
    for (const [spec, count] of sum.counts) {
      counts.set(spec, [...counts.get(spec) ?? [], `${count} on ${runtime.label.split(" (")[0]}`]);
    }
    lines.push(`${runtime.label}: ${sum.passed} passed, ${sum.failed} failed`);
    passed += sum.passed;
    failed += sum.failed;
  }
  for (const [spec, each] of counts) {
    const same = new Set(each.map((text) => text.split(" ")[0])).size === 1;
    if (!same) {
      console.log(`note ${spec} does not run the same tests everywhere: ${each.join(", ")}`);
    }
  }
  console.log(`\n${lines.join("\n")}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function findRuntime(name: string): Promise<Runtime> {
  const [, kind, path] = /^(deno|node|source)(?::(.+))?$/.exec(name) ?? [];
  if (kind !== "deno" && kind !== "node" && kind !== "source") {
    throw new Error(`--runtime is deno, node, node:PATH, source or source:PATH, not ${name}`);
  }
  // This script runs on Deno, so that is the native binary and not the wrapper of the package.
  const own = kind === "deno" ? process.execPath : process.env["npm_node_execpath"] ?? "node";
  const command = path ?? own;
  const { code, output } = await run(command, ["--version"], { cwd: ROOT });
  if (code !== 0) throw new Error(`${command} --version ended with ${code}:\n${output}`);
  const version = output.split("\n")[0] ?? "";
  const label = { deno: version, node: `node ${version}`, source: `node ${version}, source` };
  return { label: label[kind], command, kind };
}

async function runAll(
  runtime: Runtime,
  specs: readonly string[],
  jobs: number,
  timeoutMs: number,
): Promise<{ passed: number; failed: number; counts: ReadonlyMap<string, number> }> {
  const queue = [...specs];
  const counts = new Map<string, number>();
  let passed = 0, failed = 0;
  const worker = async (): Promise<void> => {
    for (let spec = queue.shift(); spec !== undefined; spec = queue.shift()) {
      const { result, output, ms } = await runFile(runtime, spec, timeoutMs);
      passed += result.passed;
      failed += result.failed;
      counts.set(spec, result.passed + result.failed);
      const sign = result.fault === undefined ? "ok  " : "FAIL";
      const time = `${(ms / 1000).toFixed(1)} s`;
      console.log(`${sign} ${runtime.label.split(" (")[0]} ${spec} ${result.passed} (${time})`);
      if (result.fault !== undefined) console.log(`${result.fault}\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return { passed, failed, counts };
}

async function runFile(runtime: Runtime, spec: string, timeoutMs: number) {
  const bundled = join(SPEC_BUNDLE, spec.slice("spec/".length).replace(/\.ts$/, ".js"));
  const args = {
    deno: ["run", "-A", "--no-prompt", spec],
    source: [spec],
    node: ["--enable-source-maps", bundled],
  }[runtime.kind];
  const { code, signal, timedOut, output, ms } = await run(runtime.command, args, {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    timeoutMs,
  });
  const ended = timedOut ? `was killed after ${timeoutMs} ms` : `ended with ${signal ?? code}`;
  return { result: verdict(code === 0 ? undefined : ended, output), output, ms };
}
