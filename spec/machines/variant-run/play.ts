import {
  type Failure,
  type FailureClass,
  type RetryPolicy,
  type TestOutcome,
  type VariantRunInput,
  variantRunMachine,
} from "../../../machines/mod.ts";
import { PureActor } from "../../kit/pure-actor.ts";

/** A policy whose delays are 100, 200, 400, 800, 1000, 1000 … ms. */
export const steady: RetryPolicy = {
  maxAttempts: 3,
  baseMs: 100,
  factor: 2,
  capMs: 1_000,
  jitter: 0,
};

export function failure(kind: FailureClass, code = "refused"): Failure {
  return { code, message: `The port says ${code}`, class: kind };
}

export function outcome(status: TestOutcome["status"], reason: string | null = null): TestOutcome {
  const exitCode = status === "killed" ? 1 : null;
  return { status, reason, command: "npm test", exitCode, durationMs: 12 };
}

/** A run in `booting`, played by hand. */
export function play(input: Partial<VariantRunInput> = {}): PureActor<typeof variantRunMachine> {
  return new PureActor(variantRunMachine, {
    campaign: "c1",
    variant: "v1",
    retry: steady,
    ...input,
  });
}

/** A run that was played up to `phase`, on sidecar `s1`. */
export function playTo(
  phase: "booting" | "syncing" | "patching" | "testing",
  input: Partial<VariantRunInput> = {},
): PureActor<typeof variantRunMachine> {
  const run = play(input);
  for (const [at, port, output] of path) {
    if (at === phase) break;
    run.done(port, output);
  }
  return run;
}

const path = [
  ["booting", "lease", { sidecar: "s1" }],
  ["syncing", "sync", undefined],
  ["patching", "patch", { tree: "t1" }],
  ["testing", "test", undefined],
] as const;
