import process from "node:process";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";

/** What a test or a hook may ask for. */
export interface TestOptions {
  /**
   * After how many milliseconds the test fails by its name.
   * @default 10_000 for a test and an each-hook, 30_000 for `before` and `after`
   */
  readonly timeoutMs?: number;
}

/** The body of a test or a hook. */
export type Body = () => unknown;

/** Registers a hook for the whole suite, or with `each` for every test. */
export interface Hook {
  (body: Body, options?: TestOptions): void;
  readonly each: (body: Body, options?: TestOptions) => void;
}

/** Registers a test. There is no `only` and no `skip`: a file runs all of its tests. */
export interface Test {
  (name: string, body: Body, options?: TestOptions): void;
  readonly before: Hook;
  readonly after: Hook;
}

interface Step {
  readonly body: Body;
  readonly timeoutMs: number;
}

interface Sheet {
  readonly name: string;
  readonly tests: Map<string, Step>;
  readonly before: Step[];
  readonly after: Step[];
  readonly beforeEach: Step[];
  readonly afterEach: Step[];
}

/** What a file has come to. One per process: a spec file is a process. */
interface Tally {
  readonly sheets: Sheet[];
  passed: number;
  /** Failures that are not a test's own: hooks, stray errors, open handles. */
  extra: number;
  state: "loading" | "running" | "over";
  /** Fails the test that runs now, or `undefined` between tests. */
  blame: ((error: Error) => void) | undefined;
}

declare global {
  var UVU_DEFER: boolean | undefined;
  var UVU_QUEUE: unknown[][] | undefined;
}

const DRAIN_MS = 2_000;
const tally: Tally = { sheets: [], passed: 0, extra: 0, state: "loading", blame: undefined };

// Read once at load by uvu, which otherwise starts by itself, before a file with top-level await
// has declared all of its suites. So uvu is imported by `run`, after this line.
globalThis.UVU_DEFER = true;

process.on("unhandledRejection", (reason) => stray("an unhandled rejection", reason));
process.on("uncaughtException", (error) => stray("an uncaught exception", error));
process.on("exit", close);

/**
 * Declares a suite and answers the function that registers its tests. The suites of a file run one
 * after the other when the file has loaded. The process then ends by itself: exit code 0 and a last
 * line `<file>: N passed, 0 failed`, or exit code 1.
 *
 * What plain uvu lets through fails here: no test at all, a throwing hook, a thrown non-Error, a
 * test that never ends, an unhandled rejection, a handle left open, an early `process.exit`.
 *
 * @throws RangeError when the name was used before, or the run has begun
 */
export function suite(name: string): Test {
  if (tally.state !== "loading") throw new RangeError(`suite "${name}" came after the run began`);
  if (tally.sheets.some((sheet) => sheet.name === name)) {
    throw new RangeError(`suite "${name}" exists already in this file`);
  }
  const sheet: Sheet = {
    name,
    tests: new Map(),
    before: [],
    after: [],
    beforeEach: [],
    afterEach: [],
  };
  if (tally.sheets.push(sheet) === 1) void whenLoaded().then(run);
  const test = (title: string, body: Body, options?: TestOptions): void => {
    if (tally.state !== "loading") throw new RangeError(`test "${title}" came too late`);
    if (sheet.tests.has(title)) throw new RangeError(`test "${title}" exists already in "${name}"`);
    sheet.tests.set(title, step(body, options, 10_000));
  };
  return Object.assign(test, {
    before: hook(sheet.before, sheet.beforeEach),
    after: hook(sheet.after, sheet.afterEach),
  });
}

function hook(whole: Step[], each: Step[]): Hook {
  return Object.assign(
    (body: Body, options?: TestOptions) => void whole.push(step(body, options, 30_000)),
    { each: (body: Body, options?: TestOptions) => void each.push(step(body, options, 10_000)) },
  );
}

function step(body: Body, options: TestOptions | undefined, fallback: number): Step {
  return { body, timeoutMs: options?.timeoutMs ?? fallback };
}

/** An import of the module that is being evaluated settles when its evaluation has ended. */
async function whenLoaded(): Promise<void> {
  await import(pathToFileURL(process.argv[1] ?? "").href);
}

async function run(): Promise<void> {
  tally.state = "running";
  const uvu = await import("uvu");
  globalThis.UVU_QUEUE = [[null]];
  for (const sheet of tally.sheets) {
    const inner = uvu.suite(sheet.name);
    // uvu swallows what its own hooks throw: they never throw, and a failed one fails the tests.
    let broken: string | undefined;
    inner.before(async () => {
      for (const each of sheet.before) {
        broken ??= await guarded(sheet, "before", each);
      }
    });
    for (const [name, body] of sheet.tests) {
      inner(name, async () => {
        if (broken !== undefined) throw new Error(`not run: ${broken}`);
        await runTest(sheet, body);
        tally.passed++;
      });
    }
    inner.after(async () => {
      for (const each of sheet.after) await guarded(sheet, "after", each);
    });
    inner.run();
    if (sheet.tests.size === 0) fail(`suite "${sheet.name}" has no tests`);
  }
  await uvu.exec();
  tally.state = "over";
  // Does not hold the process: it fires only when something else does.
  setTimeout(() => {
    const open = process.getActiveResourcesInfo?.() ?? [];
    fail(`a handle was left open: the process did not end by itself (${open.join(", ")})`);
    process.exit(1);
  }, DRAIN_MS).unref();
}

async function runTest(sheet: Sheet, body: Step): Promise<void> {
  const failures: Error[] = [];
  const attempt = async (each: Step): Promise<void> => {
    try {
      await timed(each);
    } catch (error) {
      failures.push(asError(error));
    }
  };
  for (const each of sheet.beforeEach) await attempt(each);
  if (failures.length === 0) await attempt(body);
  for (const each of sheet.afterEach) await attempt(each);
  for (const further of failures.slice(1)) note("and then", further);
  if (failures[0] !== undefined) throw failures[0];
}

/** Answers what went wrong, after having told it. */
async function guarded(sheet: Sheet, kind: string, each: Step): Promise<string | undefined> {
  try {
    await timed(each);
    return undefined;
  } catch (error) {
    const what = `the ${kind} hook of suite "${sheet.name}" failed`;
    fail(what, asError(error));
    return what;
  }
}

async function timed({ body, timeoutMs }: Step): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const outside = new Promise<never>((_, reject) => {
    tally.blame = reject;
    const late = () => reject(new Error(`timed out after ${timeoutMs} ms`));
    timer = setTimeout(late, timeoutMs);
  });
  try {
    await Promise.race([body(), outside]);
    // A floating promise that was rejected meanwhile is reported within this turn.
    await Promise.race([new Promise((resolve) => setImmediate(resolve)), outside]);
  } finally {
    clearTimeout(timer);
    tally.blame = undefined;
  }
}

function stray(what: string, reason: unknown): void {
  const error = asError(reason);
  error.message = `${what}: ${error.message}`;
  if (tally.blame !== undefined) tally.blame(error);
  else if (tally.state === "loading") {
    fail("the file did not load", error);
    process.exit(1);
  } else fail(`${what} outside of a test`, error);
}

function fail(what: string, error?: Error): void {
  tally.extra++;
  process.exitCode = 1;
  note(what, error);
}

function note(what: string, error?: Error): void {
  console.log(
    `\n   FAIL  ${what}${error === undefined ? "" : `\n${error.stack ?? error.message}`}`,
  );
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return printable(thrown);
  return new Error(`thrown, and not an Error: ${String(thrown)}`);
}

/** uvu prints an assertion's `details` as text; on any other error that is a property of its own. */
function printable(error: Error): Error {
  const { details } = error as { readonly details?: unknown };
  if (details === undefined || typeof details === "string") return error;
  const plain = new Error(`${error.message} ${JSON.stringify(details)}`, { cause: error });
  plain.name = error.name;
  plain.stack = error.stack ?? "";
  return plain;
}

function close(): void {
  const total = tally.sheets.reduce((sum, sheet) => sum + sheet.tests.size, 0);
  if (total === 0) fail("no tests were declared");
  else if (tally.state !== "over" && tally.extra === 0) {
    fail("the process ended before the run did");
  }
  const failed = total - tally.passed + tally.extra;
  process.exitCode = failed === 0 ? 0 : 1;
  const file = basename(process.argv[1] ?? "").replace(/(\.spec)?\.[jt]s$/, "");
  console.log(`${file}: ${tally.passed} passed, ${failed} failed`);
}
