/** What a command's output says about how many tests ran. */
export type TestsSeen = "some" | "none" | "unknown";

interface Recogniser {
  /** Matches where no test ran. */
  readonly none: RegExp;
  /** Matches where at least one did, passed or failed. */
  readonly some: RegExp;
}

/**
 * What runners print, one entry each: node:test and TAP, pytest, unittest, jest, vitest, mocha, cargo
 * and nextest, go, deno, bun, RSpec, PHPUnit, ctest, JUnit's console and Maven, dotnet.
 */
const RECOGNISERS: readonly Recogniser[] = [
  { none: /^(?:# |ℹ )tests 0$/m, some: /^(?:# |ℹ )tests [1-9]/m },
  { none: /^1\.\.0\b/m, some: /^1\.\.[1-9]|^(?:not )?ok [1-9]/m },
  {
    none: /\bno tests ran\b|\bcollected 0 items\b/,
    some: /\bcollected [1-9]\d* items?\b|\b[1-9]\d* (?:passed|failed)\b/,
  },
  { none: /^Ran 0 tests\b/m, some: /^Ran [1-9]\d* tests?\b/m },
  {
    none: /^No tests found\b|^Tests:\s+0 total/m,
    some: /^Tests:\s.*[1-9]\d* total/m,
  },
  { none: /\bNo test files found\b/, some: /^\s*Tests\s+.*[1-9]\d* (?:passed|failed)/m },
  { none: /^\s*0 passing\b/m, some: /^\s*[1-9]\d* (?:passing|failing)\b/m },
  {
    none: /^running 0 tests$|^\s*Starting 0 tests\b/m,
    some: /^running [1-9]\d* tests?$|^\s*Starting [1-9]\d* tests?\b/m,
  },
  {
    none: /^\?\s+\S+\s+\[no test files\]|\[no tests to run\]/m,
    some: /^(?:ok|FAIL)\s+\S+\s+(?:\(cached\)|[\d.]+s)(?!.*\[no tests to run\])|^--- FAIL:/m,
  },
  { none: /^ok \| 0 passed \| 0 failed/m, some: /\b[1-9]\d* (?:passed|failed)\b/ },
  { none: /^\s*0 pass$/m, some: /^\s*[1-9]\d* (?:pass|fail)$/m },
  { none: /^0 examples, 0 failures/m, some: /^[1-9]\d* examples?, /m },
  { none: /^No tests executed!/m, some: /^OK \([1-9]\d* tests?|^Tests: [1-9]/m },
  { none: /^No tests were found!!!/m, some: /tests (?:passed|failed).* out of [1-9]/m },
  { none: /^Tests run: 0,/m, some: /^(?:\[\w+\] )?Tests run: [1-9]/m },
  { none: /^No test is available in /m, some: /^\s*Total(?: tests)?: +[1-9]/m },
];

// deno-lint-ignore no-control-regex
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * Whether tests ran, as far as the output of a known runner tells. `none` only where a runner says
 * so and no other one says the opposite: one command may run several.
 */
export function testsSeen(stdout: string, stderr: string): TestsSeen {
  const text = `${stdout}\n${stderr}`.replace(COLOURS, "");
  if (RECOGNISERS.some(({ some }) => some.test(text))) return "some";
  return RECOGNISERS.some(({ none }) => none.test(text)) ? "none" : "unknown";
}
