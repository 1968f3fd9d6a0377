import type { CampaignRequest, ProjectCommand } from "./campaign-request.ts";

/** The part of a request that budgets depend on. */
export type TimeoutPolicy = Pick<
  CampaignRequest,
  "timeoutMs" | "timeoutMultiplier" | "minimumTimeoutMs"
>;

/** The budget of a command that has no other, where the baseline is skipped; in ms. */
export const UNMEASURED_BUDGET_MS = 300_000;

/** The budget of a command of the baseline itself, where nothing else is said; in ms. */
export const BASELINE_BUDGET_MS = 3_600_000;

/** The budget that somebody gave, in ms: the command's own comes first. `undefined`: derive it. */
export function explicitBudget(
  command: ProjectCommand,
  policy: TimeoutPolicy,
): number | undefined {
  return command.timeoutMs ?? policy.timeoutMs ?? undefined;
}

/**
 * The budget of a command, in ms: what was given, else
 * `max(minimumTimeoutMs, timeoutMultiplier × baselineMs)`.
 */
export function budgetFrom(
  command: ProjectCommand,
  policy: TimeoutPolicy,
  baselineMs: number,
): number {
  const derived = Math.max(policy.minimumTimeoutMs, policy.timeoutMultiplier * baselineMs);
  return explicitBudget(command, policy) ?? Math.ceil(derived);
}
