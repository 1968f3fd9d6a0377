import * as assert from "uvu/assert";
import process from "node:process";
import type { Place } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { type ConnectionFault, faultProxy } from "../kit/fault-proxy.ts";
import { reportOf, verdictsOf } from "./demo.ts";
import { runOn } from "./runtimes.ts";
import { serveProcess } from "./serve-process.ts";
import { shProject, shVerdicts } from "./sh-project.ts";

const test = suite("stampede");

/** How many sidecars boot at once. */
const COUNT = Number(process.env["SIDECANARY_STAMPEDE"] ?? 16);

/** Every second one of the first connections is lost, in one way after the other. */
const LOSSES: readonly ConnectionFault[] = [
  { kind: "reset", of: "up", at: 0 },
  { kind: "close", of: "up", at: 0 },
  { kind: "reset", of: "down", at: 100 },
  { kind: "close", of: "down", at: 300 },
];

test(`${COUNT} sidecars boot at once though half of the first connections are lost`, async () => {
  const host = await serveProcess("own", ["--max-instances", String(COUNT)]);
  const proxy = await faultProxy({ port: host.port });
  try {
    for (let index = 0; index < COUNT; index++) {
      proxy.next(LOSSES[index % LOSSES.length] ?? null, null);
    }
    const { dir, env } = await shProject(COUNT, `${COUNT / 4}s`);
    const at: Place = { dir, env: { ...env, ...host.clientEnv } };
    const where = ["--sidecar", `http://127.0.0.1:${proxy.port}`, "--jobs", String(COUNT)];
    const began = Date.now();
    const ran = await runOn("own", at, ["variants", "variants.json", ...where]);
    const report = reportOf(ran);
    const hits = Object.fromEntries(proxy.hit);
    console.log(JSON.stringify({
      seconds: (Date.now() - began) / 1000,
      connections: proxy.accepted,
      hits,
      made: host.created.length,
      gone: host.destroyed.length,
      sidecars: report.sidecars,
      variants: report.results.length,
      warnings: report.warnings,
    }));
    assert.equal(verdictsOf(report), shVerdicts(COUNT), ran.stderr);
    // A machine that is busy for long may make one sidecar anew: what counts is that none stays.
    const { created, destroyed, left } = report.sidecars;
    assert.equal([destroyed, left], [created, []]);
    assert.ok(created >= COUNT, ran.stderr);
    assert.is(host.created.length, created);
    assert.equal([...host.destroyed].sort(), [...host.created].sort());
    assert.is(new Set(host.created).size, host.created.length);
    assert.equal(host.instances(), []);
    assert.ok((hits["reset"] ?? 0) + (hits["close"] ?? 0) >= COUNT / 2, JSON.stringify(hits));
  } finally {
    await proxy.close();
    await host.stop();
  }
}, { timeoutMs: 230_000 });
