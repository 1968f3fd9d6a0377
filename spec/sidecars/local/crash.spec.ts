import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { sweepLocal } from "../../../runtime/sidecars/local/local-provider.ts";
import { currentOwner, scratchName } from "../../../runtime/sidecars/local/owner.ts";
import { mountsBelow } from "../../../runtime/sidecars/local/mounts.ts";
import { suite } from "../../harness.ts";
import { hashTree, liveTree } from "../../kit/live-tree.ts";
import { processesWith, uniqueSleep, until } from "../../kit/processes.ts";
import { spawnScript } from "../../kit/run-script.ts";

const test = suite("crash");

for (const [kind, namespaces] of [["overlay", true], ["copy", true], ["copy", false]] as const) {
  const what = `${kind}${namespaces ? "" : " without namespaces"}`;
  test(`${what}: SIGKILL of our process ends every process of its sandbox`, async () => {
    const tree = await liveTree();
    const sleep = uniqueSleep();
    const before = hashTree(tree.root);
    const args = [tree.root, tree.checkout, tree.scratch, kind, String(namespaces)];
    const child = spawnScript("kit/children/sandbox-holder.ts", args, {
      env: { SLEEP: sleep },
    });
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => errors += text);
    const ended = new Promise((resolve) => child.once("close", resolve));
    await until("both sleep", () => {
      if (child.exitCode !== null) throw new Error(`the child ended: ${errors}`);
      return processesWith(sleep).length === 2;
    });

    const alive = await sweepLocal([tree.scratch]);
    assert.equal(alive.removed.filter((name) => name.startsWith(tree.scratch)), []);
    assert.is(processesWith(sleep).length === 2, true);

    child.kill("SIGKILL");
    await ended;
    await until("no process is left", () => processesWith(sleep).length === 0);
    assert.equal(mountsBelow(tree.base), []);
    assert.is(readdirSync(tree.scratch).length, 1);
    const swept = await sweepLocal([tree.scratch]);
    assert.is(swept.removed.filter((name) => name.startsWith(tree.scratch)).length, 1);
    assert.equal(swept.failed, []);
    assert.equal(readdirSync(tree.scratch), []);
    assert.is(hashTree(tree.root), before);
  }, { timeoutMs: 30_000 });
}

test("sweepLocal() takes a recycled pid for a dead owner, and spares the living and foreign", async () => {
  const { scratch } = await liveTree();
  const owner = currentOwner();
  const names = {
    mine: scratchName(owner),
    recycled: scratchName({ ...owner, started: String(Number(owner.started) + 1) }),
    dead: scratchName({ ...owner, pid: 4_194_304 }),
    foreign: scratchName({ ...owner, place: "00000000" }),
    other: "sc-something-else",
  };
  for (const name of Object.values(names)) {
    mkdirSync(join(scratch, name, "inner"), { recursive: true });
  }
  const dangling = scratchName({ ...owner, pid: 4_194_304 });
  symlinkSync("nowhere", join(scratch, dangling));
  const { removed, failed } = await sweepLocal([scratch]);
  assert.equal(
    removed.filter((name) => name.startsWith(scratch)).sort(),
    [names.recycled, names.dead, dangling].map((name) => join(scratch, name)).sort(),
  );
  assert.equal(failed.filter(({ name }) => name.startsWith(scratch)), []);
  assert.equal(readdirSync(scratch).sort(), [names.mine, names.foreign, names.other].sort());
});
