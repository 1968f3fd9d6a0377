import * as assert from "uvu/assert";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ended, type Place } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { type PodmanService, podmanService } from "../kit/podman.ts";
import { reportOf, verdictsOf } from "./demo.ts";
import { runOn, startOn } from "./runtimes.ts";
import { shProject, shVerdicts } from "./sh-project.ts";

const test = suite("podman-campaign");

const LONG = { timeoutMs: 120_000 };
let podman: PodmanService;

test.before(async () => {
  podman = await podmanService();
}, { timeoutMs: 120_000 });

test.after(async () => {
  await podman?.stop();
}, { timeoutMs: 60_000 });

async function project(more: number): Promise<{ readonly at: Place; readonly args: string[] }> {
  const { dir, env } = await shProject(more, "4s");
  return {
    at: { dir, env: { ...env, DOCKER_HOST: `unix://${podman.socket}` } },
    args: [
      "variants",
      "variants.json",
      ...["--sidecar", `docker:${podman.image}?lanes=2&network=none`, "--jobs", "4"],
    ],
  };
}

/** The containers of a place's campaigns. */
async function containersOf({ env }: Place): Promise<string[]> {
  const state = join(env["XDG_STATE_HOME"] ?? "", "sidecanary");
  const [folder = ""] = await readdir(state);
  const owner = await readFile(join(state, folder, "owner"), "utf8");
  const filter = `label=sidecanary.owner=${owner}`;
  const names = await podman.podman("ps", "-a", "--filter", filter, "--format", "{{.Names}}");
  return names.split("\n").filter(Boolean);
}

test(
  "sidecanary variants --sidecar docker: has the local verdicts, and no container stays",
  async () => {
    const { at, args } = await project(0);
    const ran = await runOn("own", at, args);
    const report = reportOf(ran);
    assert.equal(verdictsOf(report), shVerdicts(), ran.stderr);
    assert.is(ran.code, 7);
    assert.equal(report.sidecars.left, [], ran.stderr);
    assert.is(report.sidecars.destroyed, report.sidecars.created);
    assert.equal(await containersOf(at), []);
  },
  LONG,
);

test(
  "sidecanary variants --sidecar docker: goes on after SIGKILL, and no container stays",
  async () => {
    const { at, args } = await project(20);
    const child = startOn("own", at, [...args, "--format", "jsonl"]);
    let lines = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      lines += text;
      const known = lines.split("\n").filter((line) => line.includes('"sidecar"'));
      if (known.length >= 3) process.kill(child.pid ?? 0, "SIGKILL");
    });
    const { stdout, stderr } = await ended(child);
    assert.is((await containersOf(at)).length, 2, stdout + stderr);
    const ran = await runOn("own", at, args);
    const report = reportOf(ran);
    assert.equal(verdictsOf(report), shVerdicts(20), ran.stderr);
    assert.equal(report.sidecars.left, [], ran.stderr);
    assert.equal(await containersOf(at), []);
  },
  LONG,
);
