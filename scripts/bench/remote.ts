import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MadeKey, makeKey, type Sshd, startSshd } from "../../spec/kit/sshd.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { Host } from "../../runtime/sidecars/host.ts";
import { deliverPayload } from "../../runtime/sidecars/remote/deliver.ts";
import { openWorkspace } from "../../runtime/sidecars/remote/workspace.ts";
import { createSshHosts } from "../../runtime/sidecars/ssh/ssh-hosts.ts";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { packPayload } from "../../runtime/sync/pack-payload.ts";
import type { CampaignReport } from "../../runtime/variants/report.ts";
import { run } from "../run.ts";
import { type DelayProxy, delayProxy } from "./delay-proxy.ts";
import { type BenchRow, median } from "./row.ts";

const never = new AbortController().signal;

/** What the rows of one link have in common. */
interface Link {
  readonly title: string;
  readonly proxy: DelayProxy;
  readonly dir: string;
  readonly key: MadeKey;
  readonly sshd: Sshd;
  readonly repeats: number;
}

/** Sidecars by SSH beside ssh and rsync themselves, on the loopback interface and with a delay. */
export async function benchRemote(smoke: boolean): Promise<BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), "sidecanary-bench-"));
  const key = await makeKey("ed25519");
  // What the login shell of this machine's user does at its start is not measured.
  const sshd = await startSshd({
    authorizedKeys: [key.publicLine],
    config: [`SetEnv HOME=${dir}`],
  });
  const rows: BenchRow[] = [];
  try {
    const project = join(dir, "project");
    await makeProject(project, smoke ? 50 : 2_000, smoke ? 2_000 : 25_000);
    for (const delayMs of smoke ? [0] : [0, 25]) {
      const proxy = await delayProxy(sshd.port, delayMs);
      const title = delayMs === 0 ? "loopback" : `${2 * delayMs} ms round trip`;
      const link: Link = { title, proxy, dir, key, sshd, repeats: smoke ? 3 : 30 };
      await writeFile(join(dir, "known_hosts"), knownHosts(sshd, proxy.port));
      try {
        rows.push(
          ...await execs(link),
          ...await syncs(link, project),
          ...await campaign(link, smoke),
        );
      } finally {
        await proxy.close();
      }
    }
    return rows;
  } finally {
    await sshd.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function knownHosts(sshd: Sshd, port: number): string {
  const lines = [...sshd.hostKeys.values()].map(({ publicLine }) => publicLine);
  return lines.map((line) => `[127.0.0.1]:${port} ${line}\n`).join("");
}

/** The arguments of ssh that make it look at nothing of the user's. */
function sshArgs({ dir, key, proxy }: Link): string[] {
  const options = ["StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes"];
  return [
    "-F",
    "none",
    "-p",
    String(proxy.port),
    "-i",
    key.path,
    "-o",
    `UserKnownHostsFile=${join(dir, "known_hosts")}`,
    ...options.flatMap((option) => ["-o", option]),
  ];
}

async function configFile(link: Link): Promise<string> {
  const path = join(link.dir, "ssh_config");
  await writeFile(
    path,
    `Host *\n  UserKnownHostsFile ${
      join(link.dir, "known_hosts")
    }\n  IdentityFile ${link.key.path}\n`,
  );
  return path;
}

async function connectTo(link: Link): Promise<{ host: Host; close: () => Promise<void> }> {
  const { sshd, proxy, dir } = link;
  const hosts = createSshHosts({
    targets: [`ssh://${sshd.user}@127.0.0.1:${proxy.port}`],
    env: { ...process.env, HOME: dir },
    configFile: await configFile(link),
    clock: systemClock,
  });
  const spec = { name: "sidecanary-benchben-b-0-zzzzzz", index: 0, expiresAt: 0 };
  const host = await hosts.connect(await hosts.create(spec, never), never);
  return { host, close: () => hosts.close() };
}

async function execs(link: Link): Promise<BenchRow[]> {
  const { title, repeats, sshd, dir } = link;
  const at = `${sshd.user}@127.0.0.1`;
  const first: number[] = [];
  for (let n = 0; n < Math.min(5, repeats); n++) {
    first.push(
      await timed(async () => {
        const { host, close } = await connectTo(link);
        await host.exec({ command: "true", signal: never });
        await close();
      }),
    );
  }
  const { host, close } = await connectTo(link);
  const ours: number[] = [];
  for (let n = 0; n < repeats; n++) {
    ours.push(await timed(() => host.exec({ command: "true", signal: never })));
  }
  await close();
  const cold = await timed(() => ran("ssh", [...sshArgs(link), at, "true"]));
  const socket = join(dir, `control-${link.proxy.port}`);
  const control = ["-S", socket];
  const master = spawn("ssh", [...sshArgs(link), ...control, "-M", "-N", at], { stdio: "ignore" });
  const ended = new Promise((resolve) => master.once("exit", resolve));
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 10));
  const warm: number[] = [];
  for (let n = 0; n < repeats; n++) {
    warm.push(await timed(() => ran("ssh", [...sshArgs(link), ...control, at, "true"])));
  }
  master.kill();
  await ended;
  return [
    { what: `${title}: connect and first command`, figure: ms(median(first)) },
    { what: "  ssh, one connection for one command", figure: ms(cold) },
    { what: `${title}: exec, p50`, figure: ms(median(ours)) },
    { what: "  ssh with ControlMaster, p50", figure: ms(median(warm)) },
  ];
}

async function syncs(link: Link, project: string): Promise<BenchRow[]> {
  const { title, dir, sshd } = link;
  const { host, close } = await connectTo(link);
  const at = `${sshd.user}@127.0.0.1`;
  const store = join(dir, `packs-${link.proxy.port}`);
  const name = `sidecanary-benchben-b${link.proxy.port}-0-zzzzzz`;
  const workspace = await openWorkspace(host, { name, signal: never });
  const times: number[] = [];
  const kinds: string[] = [];
  const copies: number[] = [];
  const far = join(dir, `rsync-${link.proxy.port}`);
  for (const change of ["", "one more line\n"]) {
    if (change !== "") {
      await writeFile(
        join(project, "f0.txt"),
        await readFile(join(project, "f0.txt"), "utf8") + change,
      );
    }
    const scratch = join(dir, "scratch");
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch);
    let sent = 0;
    times.push(
      await timed(async () => {
        const payload = await capturePayload({ cwd: project, scratch, signal: never });
        const delivery = await deliverPayload(host, workspace, {
          pack: (against) => packPayload({ payload, store, against, signal: never }),
          tree: payload.tree,
          signal: never,
        });
        sent = delivery.sentBytes;
      }),
    );
    kinds.push(`${(sent / 1e6).toFixed(sent > 1e6 ? 0 : 3)} MB sent`);
    const shell = ["ssh", ...sshArgs(link)].join(" ");
    copies.push(
      await timed(() =>
        ran("rsync", ["-a", "--delete", "-e", shell, `${project}/`, `${at}:${far}/`])
      ),
    );
  }
  await host.exec({ command: `rm -rf '${workspace.dir}'`, signal: never });
  await close();
  return ["full", "after a change of one line"].flatMap((what, n) => [
    {
      what: `${title}: capture and sync, ${what}`,
      figure: `${ms(times[n] ?? Number.NaN)}, ${kinds[n]}`,
    },
    { what: "  rsync -a over ssh", figure: ms(copies[n] ?? Number.NaN) },
  ]);
}

async function campaign(link: Link, smoke: boolean): Promise<BenchRow[]> {
  const { title, dir, proxy, sshd } = link;
  const project = join(dir, `small-${proxy.port}`);
  await makeProject(project, 200, 500);
  const count = smoke ? 4 : 40;
  const variants = Array.from({ length: count }, (_, n) => ({
    id: `v${n}`,
    description: "one line more",
    patch: `--- a/small.txt\n+++ b/small.txt\n@@ -1 +1,2 @@\n one\n+${n}\n`,
  }));
  const file = join(dir, "variants.json");
  await writeFile(file, JSON.stringify(variants));
  const before = proxy.connections();
  const cli = join(import.meta.dirname ?? ".", "../../dist/cli.js");
  const home = join(dir, `home-${proxy.port}`);
  await mkdir(join(home, ".ssh"), { recursive: true });
  const ended = await run("node", [
    cli,
    "variants",
    file,
    "--sidecar",
    `ssh://${sshd.user}@127.0.0.1:${proxy.port}`,
    "--identity-file",
    link.key.path,
    "--accept-new",
    "--command",
    "test -s small.txt && test $(wc -c < f0.txt) -gt 1",
    "--format",
    "json",
    "--output",
    join(dir, "out"),
    "--exit-zero",
    "--quiet",
  ], {
    cwd: project,
    env: { XDG_STATE_HOME: join(dir, "state"), HOME: home, SSH_AUTH_SOCK: "" },
  });
  if (ended.code !== 0) throw new Error(ended.output);
  const connections = proxy.connections() - before;
  const report = JSON.parse(
    await readFile(join(dir, "out", "report.json"), "utf8"),
  ) as CampaignReport;
  const { counts, timings } = report;
  const each = timings.runningMs / counts.total;
  const { host, close } = await connectTo(link);
  const bare: number[] = [];
  for (let n = 0; n < link.repeats; n++) {
    bare.push(await timed(() => host.exec({ command: "true", signal: never })));
  }
  await close();
  const single = await timed(() =>
    ran("ssh", [...sshArgs(link), `${sshd.user}@127.0.0.1`, "true"])
  );
  const exec = median(bare);
  return [
    {
      what: `${title}: connections of one sidecar in a campaign of ${count}`,
      figure: String(connections),
      target: "1",
      met: connections === 1,
    },
    {
      what: `${title}: a whole variant, its command included`,
      figure: `${ms(each)} = ${(each / exec).toFixed(1)} × a bare exec`,
      target: "≤ 3 × a bare exec + apply",
    },
    { what: "  one connection for one command, ssh", figure: ms(single) },
  ];
}

async function ran(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(command, args, { cwd: tmpdir(), env: {} });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${output}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function ms(time: number): string {
  return time < 100 ? `${time.toFixed(1)} ms` : `${(time / 1000).toFixed(2)} s`;
}

/** Text that compresses as source does. */
async function makeProject(project: string, files: number, bytes: number): Promise<void> {
  await mkdir(project, { recursive: true });
  await writeFile(join(project, "small.txt"), "one\n");
  for (let n = 0; n < files; n++) {
    const text = randomBytes(Math.ceil(bytes * 3 / 8)).toString("base64").replace(/.{60}/g, "$&\n");
    await writeFile(join(project, `f${n}.txt`), text.padEnd(bytes, `line ${n}\n`));
  }
  for (const args of [["init", "-q"], ["add", "-A"]]) {
    const ended = await run("git", args, { cwd: project });
    if (ended.code !== 0) throw new Error(ended.output);
  }
}
