import * as assert from "uvu/assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "../harness.ts";
import { place, sidecanary } from "./cli-kit.ts";

const test = suite("warm help");

for (
  const words of [
    ["validate"],
    ["sidecar"],
    ...["create", "list", "exec", "ssh", "sync", "destroy", "prune", "serve"].map((verb) => [
      "sidecar",
      verb,
    ]),
  ]
) {
  test(`sidecanary ${words.join(" ")} --help has an example`, async () => {
    const { code, stdout, stderr } = await sidecanary(await place({}), [...words, "--help"]);
    assert.equal([code, stderr], [0, ""]);
    assert.match(stdout, new RegExp(`Examples?:\\n  sidecanary ${words.join(" ")}`));
  });
}

test("sidecanary validate without a place to run ends with 1 and runs nothing", async () => {
  const at = await place({ "sidecanary.json": { commands: ["touch ran"] } });
  const { code, stdout, stderr } = await sidecanary(at, ["validate"]);
  assert.equal([code, stdout], [1, ""]);
  assert.match(stderr, /--sidecar docker:IMAGE/);
  assert.not.ok(existsSync(join(at.dir, "ran")));
});
