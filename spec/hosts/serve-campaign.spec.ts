import * as assert from "uvu/assert";
import process from "node:process";
import { ended, type Place } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { reportOf, verdictsOf } from "./demo.ts";
import { PAIRS, runOn, startOn } from "./runtimes.ts";
import { serveProcess } from "./serve-process.ts";
import { shProject, shVerdicts } from "./sh-project.ts";

const test = suite("serve-campaign");

const LONG = { timeoutMs: 90_000 };

test(
  "sidecanary variants --sidecar local has the verdicts that hosts are measured by",
  async () => {
    const at = await shProject();
    const ran = await runOn("own", at, ["variants", "variants.json"]);
    assert.equal(verdictsOf(reportOf(ran)), shVerdicts(), ran.stderr);
    assert.is(ran.code, 7);
  },
  LONG,
);

for (const [server, client] of PAIRS) {
  test(
    `sidecanary variants --sidecar http:// has them: ${server} server, ${client} client`,
    async () => {
      const host = await serveProcess(server);
      try {
        const { dir, env } = await shProject();
        const at: Place = { dir, env: { ...env, ...host.clientEnv } };
        const args = [
          "variants",
          "variants.json",
          "--sidecar",
          `${host.url}?lanes=2`,
          "--jobs",
          "4",
        ];
        const ran = await runOn(client, at, args);
        const report = reportOf(ran);
        assert.equal(verdictsOf(report), shVerdicts(), ran.stderr);
        assert.is(ran.code, 7);
        assert.equal(report.sidecars, { created: 2, destroyed: 2, left: [] });
        assert.is(host.created.length, 2);
        assert.equal([...host.destroyed].sort(), [...host.created].sort());
        assert.equal(host.instances(), []);
      } finally {
        const { code, said } = await host.stop();
        assert.is(code, 130, said);
      }
    },
    LONG,
  );
}

test(
  "sidecanary variants --sidecar http: goes on after SIGKILL, and no instance stays",
  async () => {
    const host = await serveProcess("own");
    try {
      const { dir, env } = await shProject(20);
      const at: Place = { dir, env: { ...env, ...host.clientEnv } };
      const args = ["variants", "variants.json", "--sidecar", host.url, "--jobs", "2"];
      const child = startOn("own", at, [...args, "--format", "jsonl"]);
      let lines = "";
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        lines += text;
        const known = lines.split("\n").filter((line) => line.includes('"sidecar"'));
        if (known.length >= 3) process.kill(child.pid ?? 0, "SIGKILL");
      });
      await ended(child);
      assert.is(host.created.length, 2);
      assert.equal(host.destroyed, []);
      const ran = await runOn("own", at, args);
      assert.equal(verdictsOf(reportOf(ran)), shVerdicts(20), ran.stderr);
      assert.match(ran.stderr, "Going on with an unfinished run");
      // Found again by their names.
      assert.is(host.created.length, 2);
      assert.equal([...host.destroyed].sort(), [...host.created].sort());
      assert.equal(host.instances(), []);
    } finally {
      await host.stop();
    }
  },
  LONG,
);
