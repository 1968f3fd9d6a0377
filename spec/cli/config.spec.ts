import * as assert from "uvu/assert";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  chooseCommands,
  type ChosenCommands,
  type CommandFlags,
} from "../../runtime/cli/config/choose-commands.ts";
import { loadProjectConfig } from "../../runtime/cli/config/load-project-config.ts";
import { settingsFrom, settingWarnings, stateHomeOf } from "../../runtime/cli/settings.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("config");

const NO_FLAGS: CommandFlags = { command: [], build: [] };

/** A repository with these files: a text as it is, a value as JSON. */
async function project(files: Readonly<Record<string, unknown>>): Promise<string> {
  const dir = await tempDir();
  execFileSync("git", ["init", "--quiet", dir]);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return dir;
}

function choose(cwd: string, flags: Partial<CommandFlags> = {}): ChosenCommands {
  return chooseCommands(cwd, { ...NO_FLAGS, ...flags }, loadProjectConfig(cwd));
}

function runs(chosen: ChosenCommands): string[] {
  return chosen.commands.map(({ run }) => run);
}

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (isSidecanaryError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("nothing was refused");
}

const CHUNK = {
  commands: [
    { name: "lint", run: "eslint .", remote: false },
    { name: "test", run: "make test", remote: true, timeout: 60 },
  ],
};

test("chooseCommands() prefers flags, then sidecanary.json, then chunk's file, then npm", async () => {
  const npm = { "package.json": { scripts: { test: "node test.js" } } };
  const chunk = { ...npm, ".chunk/config.json": CHUNK };
  const own = { ...chunk, "sidecanary.json": { commands: ["make check"] } };
  assert.equal(runs(choose(await project(npm))), ["npm test"]);
  assert.equal(runs(choose(await project(chunk))), ["make test"]);
  const dir = await project(own);
  assert.equal(runs(choose(dir)), ["make check"]);
  const flags = { command: [{ name: "x", run: "true" }] };
  assert.equal(choose(dir, flags), {
    folder: dir,
    source: "--command",
    builds: [],
    ...{
      commands: [{ name: "x", run: "true" }],
    },
  });
});

test("chooseCommands() looks upward to the root of the repository, and runs there", async () => {
  const dir = await project({
    "sidecanary.json": { commands: ["make check"] },
    "packages/a/src/x": "",
  });
  const chosen = choose(join(dir, "packages/a/src"));
  assert.is(chosen.folder, dir);
  assert.is(chosen.source, "../../../sidecanary.json");
});

test("chooseCommands() does not look above the root of the repository", async () => {
  const dir = await project({ "sidecanary.json": { commands: ["make check"] }, "inner/x": "" });
  execFileSync("git", ["init", "--quiet", join(dir, "inner")]);
  assert.match(refusal(() => choose(join(dir, "inner"))), /^usage: No command to run: there is no/);
});

test("chooseCommands() takes the timeout of a command and names those without a name", async () => {
  const dir = await project({
    "sidecanary.json": {
      builds: [{ run: "make", timeout: "2m" }],
      commands: ["npm test", { name: "e2e", run: "make e2e", timeout: 90 }, "npm test"],
    },
  });
  const { builds, commands } = choose(dir);
  assert.equal(builds, [{ name: "make", run: "make", timeoutMs: 120_000 }]);
  assert.equal(commands, [
    { name: "npm test", run: "npm test" },
    { name: "e2e", run: "make e2e", timeoutMs: 90_000 },
    { name: "npm test #2", run: "npm test" },
  ]);
});

test("chooseCommands() refuses two commands of one name", async () => {
  const dir = await project({
    "sidecanary.json": { commands: [{ name: "a", run: "x" }, { name: "a", run: "y" }] },
  });
  assert.match(refusal(() => choose(dir)), 'Two commands have the name "a"');
});

test("chooseCommands() keeps the builds of sidecanary.json beside a --command", async () => {
  const dir = await project({ "sidecanary.json": { builds: ["make"], commands: ["make test"] } });
  const chosen = choose(dir, { command: [{ name: "x", run: "true" }] });
  assert.equal(chosen.builds, [{ name: "make", run: "make" }]);
});

test("chooseCommands() with --name takes that command, of chunk's file also a local one", async () => {
  const dir = await project({ ".chunk/config.json": CHUNK });
  assert.equal(runs(choose(dir, { name: "lint" })), ["eslint ."]);
  assert.is(
    refusal(() => choose(dir, { name: "unit" })),
    'usage: .chunk/config.json has no command "unit": it has "lint", "test"',
  );
});

test("chooseCommands() reads the seconds of chunk's file, where 0 is no budget", async () => {
  const commands = [
    { name: "a", run: "a", remote: true, timeout: 60 },
    { name: "b", run: "b", remote: true, timeout: 0 },
  ];
  const dir = await project({ ".chunk/config.json": { commands } });
  assert.equal(choose(dir).commands.map(({ timeoutMs }) => timeoutMs), [60_000, null]);
});

test("chooseCommands() says remote where chunk's file marks no command", async () => {
  const dir = await project({ ".chunk/config.json": { commands: [{ name: "a", run: "a" }] } });
  assert.match(refusal(() => choose(dir)), 'marks no command with "remote": true');
});

function goCommand(run: string): Readonly<Record<string, unknown>> {
  return { ".chunk/config.json": { commands: [{ name: "go", run, remote: true }] } };
}

test("chooseCommands() expands {{CHANGED_PACKAGES}} to the changed folders", async () => {
  const dir = await project({
    ...goCommand("go test {{CHANGED_PACKAGES}}"),
    "a/x.go": "1",
    "b c/y.go": "1",
    "d/z.go": "1",
    "main.go": "1",
  });
  const git = (...args: string[]) => execFileSync("git", ["-C", dir, ...args], { stdio: "pipe" });
  git("add", "-A");
  git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x");
  assert.equal(runs(choose(dir)), ["go test ./..."]);
  writeFileSync(join(dir, "a/x.go"), "2");
  writeFileSync(join(dir, "b c/y.go"), "2");
  writeFileSync(join(dir, "main.go"), "2");
  assert.equal(runs(choose(dir)), ["go test . ./a './b c'"]);
});

test("chooseCommands() never ships a template that it does not know", async () => {
  const dir = await project(goCommand("go test {{PACKAGES}}"));
  assert.match(
    refusal(() => choose(dir)),
    /^config-invalid: .*holds the template \{\{PACKAGES\}\}/,
  );
});

const LOCKS = {
  "pnpm-lock.yaml": "pnpm test",
  "yarn.lock": "yarn test",
  "bun.lock": "bun run test",
  "package-lock.json": "npm test",
};

for (const [lock, run] of Object.entries(LOCKS)) {
  test(`chooseCommands() runs the test script by ${run} beside ${lock}`, async () => {
    const dir = await project({ "package.json": { scripts: { test: "x" } }, [lock]: "{}" });
    assert.equal(runs(choose(dir)), [run]);
  });
}

test("chooseCommands() refuses the test script that npm init writes", async () => {
  const test = 'echo "Error: no test specified" && exit 1';
  const dir = await project({ "package.json": { scripts: { test } } });
  assert.match(refusal(() => choose(dir)), "package.json has no test script");
});

test("loadProjectConfig() takes a byte order mark and a $schema", async () => {
  const dir = await project({ "sidecanary.json": '\uFEFF{"$schema":"x","commands":["a"]}' });
  assert.equal(loadProjectConfig(dir)?.config.commands, ["a"]);
});

const WRONG: readonly (readonly [unknown, string])[] = [
  [{ comands: ["x"] }, "comands is not a field of this file"],
  [[], "must be an object"],
  [{ commands: [] }, "commands must hold at least one command"],
  [{ commands: ["a", { run: "x", tiemout: 1 }] }, "commands.1.tiemout is not a field of a command"],
  [{ commands: [{ name: "x" }] }, "commands.0.run must be there"],
  [{ commands: [{ run: " " }] }, "commands.0.run must not be empty"],
  [{ commands: [3] }, "commands.0 must be a command"],
  [{ timeout: "soon" }, "timeout must be a time"],
  [{ timeout: "0s" }, 'timeout: "0s" is not a time'],
  [{ jobs: 0 }, "jobs must be a number of workers"],
  [{ killExitCodes: "7-5" }, 'killExitCodes: "7-5" is no list of exit codes'],
  [{ sidecar: "ssh" }, "sidecar must be a sidecar: local"],
  ['{"commands": [', "it ends too early at line 1"],
];

for (const [content, message] of WRONG) {
  test(`loadProjectConfig() refuses ${JSON.stringify(content)} by its field`, async () => {
    const dir = await project({ "sidecanary.json": content });
    const found = refusal(() => loadProjectConfig(dir));
    assert.ok(found.startsWith("config-invalid: ") && found.includes(message), found);
  });
}

test("settingsFrom() has as many workers as the named machines have lanes, and no more", () => {
  const sidecar = ["ssh://a?lanes=2", "ssh://b"];
  assert.is(settingsFrom({ baseline: "run", sidecar }, {}, 16).workers, 3);
  assert.is(settingsFrom({ baseline: "run", sidecar, jobs: "2" }, {}, 16).workers, 2);
  assert.is(settingsFrom({ baseline: "run", sidecar, jobs: "9" }, {}, 16).workers, 3);
  const docker = ["docker:node:22?lanes=2"];
  assert.is(settingsFrom({ baseline: "run", sidecar: docker }, {}, 16).workers, 8);
  assert.is(settingsFrom({ baseline: "run", sidecar: docker, jobs: "9" }, {}, 16).workers, 9);
});

test("settingsFrom() refuses sidecars that do not go together as usage, wherever they stand", () => {
  const both = ["ssh://me@a", "local"];
  const flags = refusal(() => settingsFrom({ baseline: "run", sidecar: both }, {}, 1));
  const file = refusal(() => settingsFrom({ baseline: "run" }, { sidecar: both }, 1));
  for (const found of [flags, file]) {
    assert.ok(found.startsWith("usage: ") && found.includes("do not go together"), found);
  }
  const lanes = refusal(() => settingsFrom({ baseline: "run" }, { sidecar: "ssh://a?lanes=0" }, 1));
  assert.ok(lanes.startsWith("usage: ") && lanes.includes("lanes"), lanes);
});

test("settingsFrom() prefers a flag to sidecanary.json to the default", () => {
  const config = {
    jobs: "50%",
    timeout: "30s",
    timeoutMultiplier: 3,
    sidecar: "local:copy",
  } as const;
  assert.equal(settingsFrom({ baseline: "run" }, {}, 4), {
    workers: 4,
    timeoutMs: null,
    timeoutMultiplier: 5,
    minimumTimeoutMs: 20_000,
    killExitCodes: "default",
    baseline: "run",
    failFast: null,
    isolation: "auto",
    choice: { kind: "local", isolation: "auto" },
  });
  const ofFile = settingsFrom({ baseline: "run" }, config, 4);
  assert.equal(
    [ofFile.workers, ofFile.timeoutMs, ofFile.timeoutMultiplier, ofFile.isolation],
    [2, 30_000, 3, "copy"],
  );
  const flags = { baseline: "run", jobs: "3", timeout: 1, sidecar: ["local"] } as const;
  const both = settingsFrom(flags, config, 4);
  assert.equal([both.workers, both.timeoutMs, both.isolation], [3, 1, "auto"]);
});

test("settingsFrom() gives 300 s and a warning without a baseline and a timeout", () => {
  const flags = { baseline: "skip" } as const;
  const settings = settingsFrom(flags, {}, 1);
  assert.is(settings.timeoutMs, 300_000);
  assert.is(settingWarnings(settings, flags, {}, [{ name: "a", run: "a" }]).length, 2);
  const own = [{ name: "a", run: "a", timeoutMs: 5 }];
  assert.is(settingWarnings(settings, flags, {}, own).length, 1);
});

test("stateHomeOf() takes an absolute XDG_STATE_HOME only", () => {
  assert.is(stateHomeOf({ XDG_STATE_HOME: "/x" }), "/x/sidecanary");
  assert.is(stateHomeOf({ XDG_STATE_HOME: "x", HOME: "/h" }), "/h/.local/state/sidecanary");
});
