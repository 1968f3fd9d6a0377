import type { CanaryPolicy } from "../policy.ts";
import { bettingJudge, type BettingState } from "./betting.ts";
import type { Judge } from "./judge.ts";
import { marginJudge, type MarginState } from "./margin.ts";

/** The state of any judge that a policy can name. */
export type JudgeState = BettingState | MarginState;

/** The judge that a policy names. */
export function judgeOf(policy: CanaryPolicy["judge"]): Judge<JudgeState> {
  // Each refuses the other's state.
  switch (policy.kind) {
    case "betting":
      return bettingJudge(policy) as Judge<JudgeState>;
    case "margin":
      return marginJudge(policy) as Judge<JudgeState>;
  }
}
