import type { Evidence } from "./evidence.ts";
import {
  checkJudge,
  checkOutcome,
  type Hold,
  type Judge,
  type JudgedOutcome,
  type JudgedState,
  type TrialStart,
  type Verdict,
} from "./judge.ts";

/** What a rule changes while it folds: a copy that nobody else has. */
export interface Draft {
  verdict: Verdict | null;
  holds: readonly Hold[];
  late: number;
}

/** What makes one judge different from another. */
export interface Rule<State extends JudgedState, Working extends Draft> {
  readonly name: State["judge"];
  start(begin: TrialStart): State;
  /** A copy of the state that may be changed. */
  draft(state: State): Working;
  /** The copy as a state; it is not changed any more. */
  state(draft: Working): State;
  /** Outcomes from before do not count, in ms since the epoch; `null`: all do. */
  since(draft: Working): number | null;
  /** Outcomes taken so far. */
  count(draft: Working): number;
  /** Takes one outcome, and notes which bounds it has crossed. */
  take(draft: Working, outcome: JudgedOutcome): void;
  /** Sets `verdict` and `holds` where the outcome that was just taken leads to them. */
  decide(draft: Working): void;
  evidence(state: State): Evidence;
}

const NONE: readonly Hold[] = [];

/** The judge of a rule: latch, late outcomes, corrections and batches are the same for all. */
export function judgeBy<State extends JudgedState, Working extends Draft>(
  rule: Rule<State, Working>,
): Judge<State> {
  const { name } = rule;

  function counts(draft: Working, outcome: JudgedOutcome): boolean {
    checkOutcome(outcome);
    const since = rule.since(draft);
    return since === null || outcome.assignedAt === undefined || outcome.assignedAt >= since;
  }

  return {
    name,
    start: (begin = {}) => rule.start(begin),
    fold(state, outcomes) {
      checkJudge(state, name);
      const draft = rule.draft(state);
      for (const outcome of outcomes) {
        if (!counts(draft, outcome)) continue;
        if (draft.verdict !== null) {
          draft.late++;
          continue;
        }
        rule.take(draft, outcome);
        rule.decide(draft);
      }
      return {
        state: rule.state(draft),
        verdict: state.verdict === null ? draft.verdict : null,
        holds: draft.holds === state.holds ? NONE : draft.holds.slice(state.holds.length),
      };
    },
    refold(before, outcomes, begin = {}) {
      checkJudge(before, name);
      const { verdict: decided, holds: held } = before;
      const draft = rule.draft(rule.start(begin));
      for (const outcome of outcomes) {
        if (!counts(draft, outcome)) continue;
        const isLate = decided === null ? draft.verdict !== null : rule.count(draft) >= decided.at;
        if (isLate) {
          draft.late++;
          continue;
        }
        rule.take(draft, outcome);
        if (decided === null) rule.decide(draft);
      }
      // What was said stays said: a person resumes, and nobody un-decides.
      const known = new Set(held.map(({ why }) => why));
      const holds = decided === null ? draft.holds.filter(({ why }) => !known.has(why)) : [];
      draft.holds = [...held, ...holds];
      const verdict = decided === null ? draft.verdict : null;
      draft.verdict = decided ?? draft.verdict;
      return { state: rule.state(draft), verdict, holds };
    },
    evidence(state) {
      checkJudge(state, name);
      return rule.evidence(state);
    },
  };
}
