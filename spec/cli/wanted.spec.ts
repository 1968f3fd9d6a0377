import * as assert from "uvu/assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { wantedOf } from "../../runtime/cli/warm/warm-surroundings.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("wantedOf()");

async function folder(chunk?: unknown): Promise<{ cwd: string; env: Record<string, string> }> {
  const cwd = await tempDir();
  if (chunk !== undefined) {
    await mkdir(join(cwd, ".chunk"));
    await writeFile(join(cwd, ".chunk", "config.json"), JSON.stringify(chunk));
  }
  return { cwd, env: {} };
}

test("wantedOf() says nothing where nothing is said", async () => {
  assert.equal(wantedOf({}, undefined, await folder()), { kind: "none" });
  assert.equal(wantedOf({}, undefined, await folder({ commands: [] })), { kind: "none" });
});

test("wantedOf() takes chunk's image for CircleCI's, and a flag before it", async () => {
  const io = await folder({ validation: { sidecarImage: "snap-1" } });
  const wanted = wantedOf({}, undefined, io);
  assert.equal(wanted, {
    kind: "hosts",
    where: { label: "circleci snap-1", sidecars: ["circleci"], image: "snap-1" },
  });
  const named = wantedOf({ image: "snap-2" }, undefined, io);
  assert.equal(named.kind === "hosts" && named.where.image, "snap-2");
  const elsewhere = wantedOf({ sidecar: ["docker:node:22"] }, undefined, io);
  assert.equal(elsewhere.kind === "hosts" && elsewhere.where, {
    label: "docker:node:22",
    sidecars: ["docker:node:22"],
  });
  assert.is(wantedOf({ sidecar: ["local"] }, undefined, io).kind, "local");
});

test("wantedOf() names the field of chunk's file that is wrong", async () => {
  const io = await folder({ validation: { sidecarImage: 3 } });
  assert.throws(
    () => wantedOf({}, undefined, io),
    (error: unknown) =>
      isSidecanaryError(error, "config-invalid") &&
      error.details.field === "validation.sidecarImage",
  );
});
