import * as assert from "uvu/assert";
import { PassThrough } from "node:stream";
import type { OutputStream } from "../../runtime/cli/io.ts";
import { errorText } from "../../runtime/cli/print-error.ts";
import { chunkResults } from "../../runtime/cli/views/chunk.ts";
import { count, duration, percent } from "../../runtime/cli/views/figures.ts";
import { JsonLines } from "../../runtime/cli/views/json-lines.ts";
import { paletteFor } from "../../runtime/cli/views/palette.ts";
import { progressLine } from "../../runtime/cli/views/progress-line.ts";
import { resultLine } from "../../runtime/cli/views/result-line.ts";
import { sanitise, sanitiseLine } from "../../runtime/cli/views/sanitise.ts";
import { summary, type SummaryFacts } from "../../runtime/cli/views/summary.ts";
import { SidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { report, result } from "./report-kit.ts";

const test = suite("views");

function stream(isTTY: boolean): OutputStream {
  return Object.assign(new PassThrough(), { isTTY });
}

const PLAIN = paletteFor(stream(false), {});

const FACTS: SummaryFacts = {
  commands: {
    folder: "/p",
    source: "sidecanary.json",
    builds: [{ name: "build", run: "make" }],
    commands: [{ name: "test", run: "make test" }],
  },
  retries: 1,
  output: null,
};

const KILLED = result("a", {
  status: "killed",
  command: "test",
  exit_code: 1,
  stdout: "1 failed\n",
  stderr: "x",
});
const SURVIVED = result("b", {
  command: "test",
  stdout: "ok",
  location: { file: "f.js", line: 7 },
});
const TIMEOUT = result("c", {
  status: "timeout",
  command: "test",
  exit_code: null,
  error: "test: timed out after 20s",
});
const ERROR = result("d", {
  status: "error",
  reason: "patch-rejected",
  error: "error: patch failed: f.js:1",
  exit_code: null,
  sidecar: null,
});

test("chunkResults() is chunk's array to the letter", () => {
  const skipped = result("e", { status: "skipped", reason: "cancelled", exit_code: null });
  assert.is(
    JSON.stringify(chunkResults([KILLED, SURVIVED, TIMEOUT, ERROR, skipped]), null, 1),
    `[
 {
  "id": "a",
  "description": "what a does",
  "killed": true,
  "command": "test",
  "stdout": "1 failed\\n",
  "stderr": "x",
  "exit_code": 1
 },
 {
  "id": "b",
  "description": "what b does",
  "killed": false,
  "stdout": "ok",
  "stderr": "",
  "exit_code": 0
 },
 {
  "id": "c",
  "description": "what c does",
  "killed": false,
  "command": "test",
  "stdout": "",
  "stderr": "",
  "exit_code": 0,
  "error": "test: timed out after 20s"
 },
 {
  "id": "d",
  "description": "what d does",
  "killed": false,
  "stdout": "",
  "stderr": "",
  "exit_code": 0,
  "error": "error: patch failed: f.js:1"
 },
 {
  "id": "e",
  "description": "what e does",
  "killed": false,
  "stdout": "",
  "stderr": "",
  "exit_code": 0,
  "error": "cancelled"
 }
]`,
  );
});

test("summary() says what asks for something, then every figure", () => {
  const made = report([KILLED, SURVIVED, TIMEOUT, ERROR], { warnings: ["2 files are sparse"] });
  assert.is(
    summary(made, FACTS, PLAIN),
    `SURVIVED f.js:7 b: what b does
TIMEOUT c: what c does (test: timed out after 20s)
ERROR d: what d does (patch-rejected: error: patch failed: f.js:1)

4 variants, measured: 3: 1 killed, 1 survived, 1 timeout, 1 error, 0 skipped
score 66.7 %, strict 33.3 % (without timeouts)
efficiency 93.4 %, overhead 0.04s a variant, 2 workers, overlay as root
preflight 0.10s, baseline 1.0s, running 65s, closing 0.05s, 1 retry
commands of sidecanary.json: build, test
warning 2 files are sparse
complete: false
`,
  );
});

test("summary() shows the output of a failed baseline and no score", () => {
  const failure = { command: "test", exit_code: 2, stdout: "\u001b[31mred\r\n", stderr: "why\n" };
  const made = report([], {
    end: "baseline-failed",
    reason: "baseline-failed",
    complete: false,
    baseline: { skipped: false, commands: [], failure },
  });
  const text = summary(made, FACTS, PLAIN);
  assert.ok(text.startsWith(
    "The baseline failed: without any patch, test ended with 2.\n  red\n  why\n" +
      "Make the commands pass on the unchanged project first; nothing was measured.\n",
  ));
  assert.ok(text.includes("score: none, nothing was measured\n"));
  assert.ok(text.endsWith("complete: false (baseline-failed)\n"));
});

test("progressLine() is silent about a kill unless asked, and loud about a survivor", () => {
  const kill = { type: "verdict", result: KILLED, done: 1 } as const;
  assert.is(progressLine(kill, PLAIN, "normal"), undefined);
  assert.is(
    progressLine(kill, PLAIN, "verbose"),
    "KILLED a: what a does (test ended with 1 in 1.2s)",
  );
  const found = { type: "verdict", result: SURVIVED, done: 2 } as const;
  assert.is(progressLine(found, PLAIN, "normal"), "SURVIVED f.js:7 b: what b does");
});

test("progressLine() tells of an unfinished run and of what changed since", () => {
  const campaign = { type: "campaign", campaign: "c", total: 9, resumed: 0, changed: [] } as const;
  assert.is(progressLine(campaign, PLAIN, "normal"), undefined);
  assert.match(
    progressLine({ ...campaign, resumed: 4 }, PLAIN, "normal") ?? "",
    "Going on with an unfinished run: 4 of 9 variants have a verdict",
  );
  assert.is(
    progressLine({ ...campaign, changed: ["payload", "commands"] }, PLAIN, "normal"),
    "Beginning anew: payload, commands changed since the unfinished run",
  );
});

test("JsonLines writes a line as it happens and the last word of each variant", () => {
  let text = "";
  const lines = new JsonLines((part) => text += part);
  lines.show({ type: "phase", phase: "running" });
  lines.show({ type: "verdict", result: KILLED, done: 1 });
  lines.show({ type: "revoked", variant: "a", reason: "environment-broken" });
  lines.show({ type: "verdict", result: KILLED, done: 1 });
  lines.end(report([KILLED, SURVIVED]));
  const parsed = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(
    parsed.map(({ type, id }) => [type, id]),
    [
      ["result", "a"],
      ["revoked", "a"],
      ["result", "a"],
      ["result", "b"],
      ["summary", undefined],
    ],
  );
  assert.is(parsed[4].complete, true);
  assert.is(parsed[4].results, undefined);
});

test("sanitise() leaves nothing that moves the cursor, sets a title or hides text", () => {
  assert.is(sanitise("a\u001b[2Jb\u001b]0;title\u0007c"), "abc");
  assert.is(sanitise("a\rb\r\nc\td"), "a\nb\nc\td");
  assert.is(sanitise("a\u0008b\u009bcd\u0085\u202ee"), "a\ufffdbd\ufffd\ufffde");
  assert.is(sanitiseLine(" a\n  b\tc "), "a b c");
});

test("resultLine() sanitises all that comes from outside", () => {
  const evil = "\u001b[31mx\u001b[0m\ny";
  const line = resultLine(
    result(evil, {
      description: evil,
      status: "error",
      error: evil,
      location: { file: evil, line: 1 },
    }),
    PLAIN,
  );
  assert.is(line, "ERROR x y:1 x y: x y (x y)");
});

test("paletteFor() obeys NO_COLOR, then FORCE_COLOR, then the terminal", () => {
  const red = (tty: boolean, env: Readonly<Record<string, string>>): boolean =>
    paletteFor(stream(tty), env).red("x") !== "x";
  assert.is(red(true, {}), true);
  assert.is(red(false, {}), false);
  assert.is(red(true, { NO_COLOR: "1", FORCE_COLOR: "1" }), false);
  assert.is(red(true, { NO_COLOR: "" }), true);
  assert.is(red(false, { FORCE_COLOR: "1" }), true);
  assert.is(red(true, { FORCE_COLOR: "0" }), false);
  assert.is(red(true, { TERM: "dumb" }), false);
});

test("duration(), percent() and count() are short and never round up to all of it", () => {
  assert.equal(
    [0, 994, 995, 4_149, 89_600, 119_499, 120_000, 7_200_000].map(duration),
    ["0.00s", "0.99s", "1.0s", "4.1s", "90s", "119s", "2m", "2h"],
  );
  assert.equal([0, 0.5, 0.99999, 1].map(percent), ["0.0 %", "50.0 %", "99.9 %", "100 %"]);
  assert.equal([count(1, "variant"), count(0, "variant")], ["1 variant", "0 variants"]);
});

test("errorText() is one line, and the stack and the causes with --verbose", () => {
  const cause = new Error("disk on fire");
  const error = new SidecanaryError("usage", "Give a file", {}, cause);
  assert.is(errorText(error, false), "sidecanary: Give a file\n");
  assert.match(errorText(error, true), /^sidecanary: Give a file\n[^]*caused by [^]*disk on fire/);
  assert.match(errorText(new TypeError("oops"), false), "internal error: oops.");
});
