import * as assert from "uvu/assert";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../runtime/cli/version.ts";
import * as v from "valibot";
import { reportSchema } from "../../runtime/variants/report-schema.ts";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";
import { intoFull, place, replace, sidecanary } from "./cli-kit.ts";

const test = suite("cli");

const SLOW = { timeoutMs: 60_000 };

// Fails where the file says anything but "good" or "fine".
const FILES = {
  "value": "good\n",
  "sidecanary.json": {
    commands: [{ name: "check", run: "echo checked; grep -E '^(good|fine)$' value" }],
  },
};

const BAD = { id: "bad", description: "is seen", patch: replace("value", "good", "bad") };
const FINE = { id: "fine", description: "is not seen", patch: replace("value", "good", "fine") };
const OLD = { id: "old", description: "does not apply", patch: replace("value", "old", "new") };

test("VERSION is the version of package.json", () => {
  const { version } = JSON.parse(readFileSync(join(root(), "package.json"), "utf8"));
  assert.is(VERSION, version);
});

test("sidecanary --version prints the version only", async () => {
  const { code, stdout, stderr } = await sidecanary(await place({}), ["--version"]);
  assert.equal([code, stdout, stderr], [0, `${VERSION}\n`, ""]);
});

test("sidecanary variants --help has examples and exit codes", async () => {
  const { code, stdout } = await sidecanary(await place({}), ["variants", "--help"]);
  assert.is(code, 0);
  for (
    const text of [
      "Usage: sidecanary variants",
      "Examples:",
      "Exit codes",
      "--jobs",
      "--fail-fast[=n]",
    ]
  ) {
    assert.ok(stdout.includes(text), text);
  }
});

const MISUSED: readonly (readonly [readonly string[], string, string?])[] = [
  [["varaints"], "unknown command 'varaints' (Did you mean variants?)"],
  [["variants", "x", "--formta", "json"], "unknown option '--formta' (Did you mean --format?)"],
  [["variants"], "missing required argument 'source'"],
  [["variants", "x", "--jobs", "0"], '--jobs: "0" is not a number of workers'],
  [
    ["variants", "x", "--format", "xml"],
    "--format: Allowed choices are human, json, jsonl, chunk.",
  ],
  [["variants", "x", "--fail-fast", "0"], "--fail-fast=3"],
  [["variants", "x", "--fail-fast=0"], '--fail-fast: "0" is not a whole number of at least 1'],
  [["variants", "x"], "Cannot read"],
  [
    ["sidecar", "exec", "--env", "NOEQUALS", "--", "true"],
    '--env: "NOEQUALS" is no variable',
    "Env NOEQUALS",
  ],
  [["sidecar", "exec"], "missing required argument 'command'", "Exec MissingCommand"],
  [["sidecar", "create", "--sidecar", "there"], '--sidecar: "there" is no sidecar'],
  [["sidecar", "crate"], "unknown command 'crate' (Did you mean create?)"],
  [["sidecar", "exec", "true"], "No sidecar worktree"],
  [["sidecar", "create"], "Make one with sidecanary sidecar create --sidecar"],
  [["validate", "--ttl", "soon"], '--ttl: "soon" is not a time'],
  [["validate"], "No command to run"],
  [["completion", "tcsh"], "Allowed choices are bash, zsh, fish."],
];

for (const [args, message, proves = "Misuse"] of MISUSED) {
  test(`${proves}: sidecanary ${args.join(" ")} ends with 1 and one line`, async () => {
    const { code, stdout, stderr } = await sidecanary(await place({}), args);
    assert.equal([code, stdout], [1, ""]);
    assert.ok(stderr.startsWith("sidecanary: ") && stderr.includes(message), stderr);
    assert.is(stderr.indexOf("\n"), stderr.length - 1);
  });
}

const FULL: readonly (readonly string[])[] = [
  ["--help"],
  ["variants", "variants.json", "--list"],
  ["variants", "variants.json"],
  ["variants", "variants.json", "--format", "jsonl"],
];

for (const args of FULL) {
  test(`sidecanary ${args.join(" ")} tells that standard output is full`, async () => {
    const at = await place({ ...FILES, "variants.json": [BAD] });
    const { code, stderr } = await intoFull(at, args);
    assert.is(code, 1, stderr);
    assert.match(stderr, /^sidecanary: Cannot write the result to standard output: /m);
    assert.not.match(stderr, /internal error/);
    if (args.includes("jsonl")) assert.match(stderr, /1 variant, measured: 1/);
  }, SLOW);
}

test("sidecanary variants without a command says how to give one", async () => {
  const input = JSON.stringify([BAD]);
  const at = await place({ "value": "good\n" });
  const { code, stdout, stderr } = await sidecanary(at, ["variants", "-"], { input });
  assert.equal([code, stdout], [1, ""]);
  assert.match(stderr, /^sidecanary: No command to run: .*--command 'npm test'.*sidecanary\.json/);
});

test("sidecanary variants of an empty file is 0, measured: 0, without any configuration", async () => {
  const { code, stdout, stderr } = await sidecanary(await place({}), ["variants", "-"], {
    input: "[]",
  });
  assert.is(code, 0);
  const report = v.parse(reportSchema, JSON.parse(stdout));
  assert.equal([report.measured, report.complete], [0, true]);
  assert.match(stderr, "measured: 0");
});

test("sidecanary variants - reads standard input and prints JSON", async () => {
  const at = await place(FILES);
  const input = JSON.stringify([BAD, FINE, OLD]);
  const { code, stdout, stderr } = await sidecanary(at, ["variants", "-"], { input });
  assert.is(code, 7, stderr);
  const report = v.parse(reportSchema, JSON.parse(stdout));
  assert.equal(
    report.results.map(({ id, status, reason }) => [
      id,
      status,
      reason,
    ]),
    [["bad", "killed", undefined], ["fine", "survived", undefined], [
      "old",
      "error",
      "patch-rejected",
    ]],
  );
  assert.match(stderr, "SURVIVED value:1 fine: is not seen\n");
  assert.match(stderr, "3 variants, measured: 2: 1 killed, 1 survived, 0 timeout, 1 error");
  assert.match(stderr, "commands of sidecanary.json: check\n");
  assert.equal(readdirSync(at.dir).sort(), ["sidecanary.json", "value"]);
}, SLOW);

test(
  "sidecanary variants of a folder prints chunk's array with --quiet and nothing else",
  async () => {
    const at = await place({
      ...FILES,
      "patches/a.patch": BAD.patch,
      "patches/b.diff": FINE.patch,
    });
    const args = ["variants", "patches", "--format", "chunk", "--quiet"];
    const { code, stdout, stderr } = await sidecanary(at, args);
    assert.equal([code, stderr], [2, ""]);
    assert.equal(JSON.parse(stdout), [
      {
        id: "a",
        description: "",
        killed: true,
        command: "check",
        stdout: "checked\n",
        stderr: "",
        exit_code: 1,
      },
      {
        id: "b",
        description: "",
        killed: false,
        stdout: "checked\nfine\n",
        stderr: "",
        exit_code: 0,
      },
    ]);
  },
  SLOW,
);

test(
  "sidecanary variants with a red baseline is 4, shows its output, and no --exit-zero hides it",
  async () => {
    const at = await place({ ...FILES, "value": "bad\n" });
    const args = ["variants", "-", "--format", "human", "--exit-zero"];
    const patch = replace("value", "bad", "good");
    const { code, stdout } = await sidecanary(at, args, {
      input: JSON.stringify([{ ...FINE, patch }]),
    });
    assert.is(code, 4, stdout);
    assert.match(
      stdout,
      /The baseline failed: without any patch, check ended with 1\.\n {2}checked\n/,
    );
  },
  SLOW,
);

test("sidecanary variants --command and --id run that command on those variants", async () => {
  const at = await place(FILES);
  const args = [
    "variants",
    "-",
    "--command",
    "own=grep -qE 'good|bad|fine' value",
    "--id",
    "fine,bad",
    "--exit-zero",
  ];
  const input = JSON.stringify([BAD, FINE, OLD]);
  const { code, stdout, stderr } = await sidecanary(at, args, { input });
  assert.is(code, 0, stderr);
  assert.equal(JSON.parse(stdout).counts.survived, 2);
  assert.match(stderr, "commands of --command: own\n");
}, SLOW);

test(
  "sidecanary variants --format jsonl ends with a summary; --output keeps report and patches",
  async () => {
    const at = await place(FILES);
    const args = ["variants", "-", "--format", "jsonl", "--output", "out"];
    const input = JSON.stringify([BAD, FINE]);
    const first = await sidecanary(at, args, { input });
    assert.is(first.code, 2, first.stderr);
    const lines = first.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.map(({ type }) => type), ["result", "result", "summary"]);
    const out = join(at.dir, "out");
    assert.equal(JSON.parse(readFileSync(join(out, "report.json"), "utf8")).counts.killed, 1);
    assert.is(readFileSync(join(out, "survivors", "001-fine.patch"), "utf8"), FINE.patch);
    assert.ok(existsSync(join(out, "logs")));
    const second = await sidecanary(at, args, { input: JSON.stringify([BAD]) });
    assert.is(second.code, 0, second.stderr);
    assert.not.ok(existsSync(join(out, "survivors")));
  },
  SLOW,
);

test("sidecanary variants --output refuses a folder that holds what is not its own", async () => {
  const at = await place({ ...FILES, "out/thesis.txt": "years of work" });
  const args = ["variants", "-", "--output", "out"];
  const { code, stderr } = await sidecanary(at, args, { input: JSON.stringify([BAD]) });
  assert.is(code, 1);
  assert.match(stderr, "it is not empty, and no earlier run made it");
  assert.is(readFileSync(join(at.dir, "out/thesis.txt"), "utf8"), "years of work");
});

test("sidecanary variants --list prints the variants without their patches", async () => {
  const input = JSON.stringify([BAD, FINE]);
  const { code, stdout } = await sidecanary(await place({}), ["variants", "-", "--list"], {
    input,
  });
  assert.is(code, 0);
  assert.equal(JSON.parse(stdout), [
    { id: "bad", description: "is seen" },
    { id: "fine", description: "is not seen" },
  ]);
});

test("sidecanary variants --dry-run says what applies, runs nothing and leaves nothing", async () => {
  const at = await place({ ...FILES, "sidecanary.json": { commands: ["touch ran; false"] } });
  const args = ["variants", "-", "--dry-run", "--format", "human"];
  const twin = { ...BAD, id: "twin" };
  const { code, stdout } = await sidecanary(at, args, { input: JSON.stringify([BAD, twin, OLD]) });
  assert.is(code, 7);
  assert.match(stdout, "RUN value:1 bad: is seen\n");
  assert.match(stdout, "SAME value:1 twin: is seen (same as bad)\n");
  assert.match(stdout, "ERROR old: does not apply (patch-rejected: ");
  assert.not.ok(existsSync(join(at.dir, "ran")));
  assert.equal(readdirSync(join(at.env["XDG_STATE_HOME"] ?? "", "sidecanary")), []);
});

test("sidecanary variants colours people's output by FORCE_COLOR, and never by NO_COLOR", async () => {
  const at = await place({});
  const args = ["variants", "-", "--list", "--format", "human"];
  const input = JSON.stringify([{ ...BAD, description: "\u001b[31mred" }]);
  const forced = { NO_COLOR: undefined, FORCE_COLOR: "1" };
  const coloured = await sidecanary(at, args, { input, env: forced });
  assert.is(coloured.stdout, "\u001b[1mbad\u001b[22m: red\n");
  const plain = await sidecanary(at, args, { input, env: { FORCE_COLOR: "1" } });
  assert.is(plain.stdout, "bad: red\n");
});

test("sidecanary names the entry and the field of a bad variants file", async () => {
  const at = await place({});
  writeFileSync(join(at.dir, "v.json"), JSON.stringify([BAD, { id: "x" }]));
  const { code, stderr } = await sidecanary(at, ["variants", "v.json"]);
  assert.is(code, 1);
  assert.match(stderr, /entry 1 .*patch is missing/);
});
