import * as assert from "uvu/assert";
import { availableProcessors } from "../../runtime/cli/options/available-processors.ts";
import { nameOf, parseCommand } from "../../runtime/cli/options/parse-command.ts";
import { parseDuration } from "../../runtime/cli/options/parse-duration.ts";
import { parseJobs } from "../../runtime/cli/options/parse-jobs.ts";
import { parseKillExitCodes } from "../../runtime/cli/options/parse-kill-exit-codes.ts";
import { parseCount, parseFactor } from "../../runtime/cli/options/parse-number.ts";
import { lanesOf } from "../../runtime/cli/options/lanes-of.ts";
import { parseSidecars } from "../../runtime/cli/options/parse-sidecar.ts";
import { suite } from "../harness.ts";

const test = suite("options");

function refuses(body: () => unknown): void {
  assert.throws(body, (error: unknown) => error instanceof RangeError);
}

test("parseDuration() takes seconds, and other units by name", () => {
  assert.is(parseDuration(90), 90_000);
  assert.is(parseDuration(0.5), 500);
  assert.is(parseDuration("90"), 90_000);
  assert.is(parseDuration("30s"), 30_000);
  assert.is(parseDuration("1.5m"), 90_000);
  assert.is(parseDuration("2m"), 120_000);
  assert.is(parseDuration("1h"), 3_600_000);
  assert.is(parseDuration("500ms"), 500);
});

test("parseDuration() refuses what a timer cannot wait", () => {
  for (const text of ["", "0", "0s", "-1", "1d", "2 m", "soon", "1e3", "600h", "Infinity", "NaN"]) {
    refuses(() => parseDuration(text));
  }
});

test("parseDuration() tells the most that a timer can wait", () => {
  assert.throws(() => parseDuration("99999999999"), /"99999999999" is too long: 596h/);
  assert.is(parseDuration("596h"), 596 * 3_600_000);
  assert.throws(() => parseDuration("597h"), /too long/);
});

test("parseJobs() takes a number, a share of the processors and auto", () => {
  assert.is(parseJobs("4", 2), 4);
  assert.is(parseJobs(3, 2), 3);
  assert.is(parseJobs("auto", 6), 6);
  assert.is(parseJobs("50%", 6), 3);
  assert.is(parseJobs("50%", 1), 1);
  assert.is(parseJobs("200%", 4), 8);
});

test("parseJobs() refuses what chunk turns into five silently", () => {
  for (const text of ["0", "-1", "0%", "", "many", "1.5", "4 ", "100000"]) {
    refuses(() => parseJobs(text, 4));
  }
});

test("parseKillExitCodes() takes a list, ranges and the presets", () => {
  assert.is(parseKillExitCodes("default"), "default");
  assert.equal(parseKillExitCodes("pytest"), [1]);
  assert.equal(parseKillExitCodes("nextest"), [100]);
  assert.equal(parseKillExitCodes("1"), [1]);
  assert.equal(parseKillExitCodes("5-7,1,6"), [1, 5, 6, 7]);
});

test("parseKillExitCodes() refuses success, what is no exit code and what is no list", () => {
  for (
    const text of [
      "0",
      "0-2",
      "256",
      "7-5",
      "1,",
      ",",
      "",
      "pytst",
      "toString",
      "1;2",
      "127",
      "100-130",
    ]
  ) {
    refuses(() => parseKillExitCodes(text));
  }
});

test("parseCommand() takes a name in lower case and leaves assignments to the shell", () => {
  assert.equal(parseCommand("npm test"), { name: "npm test", run: "npm test" });
  assert.equal(parseCommand("unit=npm test"), { name: "unit", run: "npm test" });
  assert.equal(parseCommand("CI=1 npm test"), { name: "CI=1 npm test", run: "CI=1 npm test" });
  assert.equal(parseCommand("unit=CI=1 npm test"), { name: "unit", run: "CI=1 npm test" });
  assert.equal(parseCommand("a b=c"), { name: "a b=c", run: "a b=c" });
  refuses(() => parseCommand("unit="));
  refuses(() => parseCommand("  "));
});

test("nameOf() gives a long command of several lines a short name of one", () => {
  assert.is(nameOf("cd x\n  && npm test"), "cd x && npm test");
  assert.is(nameOf("x".repeat(100)).length, 60);
});

test("parseSidecars() takes every kind it names and no other", () => {
  assert.equal(parseSidecars([]), { kind: "local", isolation: "auto" });
  assert.equal(parseSidecars(["local:copy"]), { kind: "local", isolation: "copy" });
  assert.equal(parseSidecars(["docker:node:22"]), { kind: "docker", target: "docker:node:22" });
  assert.equal(parseSidecars(["circleci"]), { kind: "circleci", target: "circleci" });
  assert.equal(parseSidecars(["https://h:1"]), { kind: "host", target: "https://h:1" });
  for (const text of ["ssh:host", "local:x", "docker:", "podman:x", "", "ssh://a b"]) {
    refuses(() => parseSidecars([text]));
  }
});

test("parseSidecars() takes several machines by ssh, and nothing else twice", () => {
  const targets = ["ssh://a", "wss://b/ssh/tunnel"];
  assert.equal(parseSidecars(targets), { kind: "ssh", targets });
  refuses(() => parseSidecars(["ssh://a", "local"]));
  refuses(() => parseSidecars(["docker:a", "docker:b"]));
});

test("parseSidecars() refuses lanes that are no number, and shows no user", () => {
  const refused = [["ssh://me@a?lanes=0"], ["docker:a?lanes=x"], ["ssh://me@a b"], [
    "ssh://me@a",
    "local",
  ]];
  for (const texts of refused) {
    assert.throws(
      () => parseSidecars(texts),
      (error: unknown) => error instanceof RangeError && !error.message.includes("me@"),
    );
  }
});

test("lanesOf() reads how many variants run at once on a host", () => {
  assert.is(lanesOf("ssh://a"), 1);
  assert.is(lanesOf("ssh://a?lanes=3"), 3);
  assert.is(lanesOf("docker:a?network=none&lanes=12"), 12);
  for (const lanes of ["0", "65", "x", "", "-1", "1.5"]) {
    refuses(() => lanesOf(`ssh://a?lanes=${lanes}`));
  }
});

test("parseCount() and parseFactor() refuse zero and words", () => {
  assert.is(parseCount("2"), 2);
  assert.is(parseFactor("1.5"), 1.5);
  for (const text of ["0", "x", "-1", ""]) {
    refuses(() => parseCount(text));
    refuses(() => parseFactor(text));
  }
});

function machine(files: Readonly<Record<string, string>>): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  };
}

test("availableProcessors() is what the runtime sees where nothing limits it", () => {
  assert.is(availableProcessors(machine({}), 8), 8);
});

test("availableProcessors() keeps to the affinity mask", () => {
  const files = { "/proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-1,6\n" };
  assert.is(availableProcessors(machine(files), 8), 3);
});

test("availableProcessors() keeps to the smallest quota up to the root, cgroup 2", () => {
  const files = {
    "/proc/self/cgroup": "0::/a/b\n",
    "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/a/cpu.max": "250000 100000\n",
  };
  assert.is(availableProcessors(machine(files), 8), 2);
});

test("availableProcessors() keeps to the quota of cgroup 1 and is never less than one", () => {
  const files = {
    "/proc/self/cgroup": "5:cpu,cpuacct:/job\n3:memory:/job\n",
    "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "40000\n",
    "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
  };
  assert.is(availableProcessors(machine(files), 8), 1);
});
