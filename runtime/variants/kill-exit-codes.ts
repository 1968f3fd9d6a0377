/** The highest code that can mean a failing test: 126, 127 are the shell's, 128 + n are signals. */
const HIGHEST = 125;

const anyFailure: readonly number[] = Array.from({ length: HIGHEST }, (_, index) => index + 1);

/**
 * The codes that a test runner ends with when tests fail, by the runner's name. A runner that crashes,
 * finds no tests or is called wrongly ends with another one.
 */
export const killExitCodePresets = {
  /** 2 interrupted, 3 internal error, 4 usage, 5 no tests collected. */
  pytest: [1],
  /** 101 is a panic of the test harness. */
  cargo: [101],
  nextest: [100],
  go: [1],
  /** The number of failed tests, in mocha. */
  mocha: anyFailure,
  jest: anyFailure,
  vitest: anyFailure,
} as const satisfies Readonly<Record<string, readonly number[]>>;

/** A runner that {@link killExitCodePresets} knows. */
export type KillExitCodePreset = keyof typeof killExitCodePresets;
