import type { BoundEvidence, Evidence, Missing } from "./judge/evidence.ts";
import type { Hold, Judge, JudgedState } from "./judge/judge.ts";

/** What a trial has come to, as data and as a text for people. */
export interface Explanation extends Evidence {
  /** A few sentences: who has how many outcomes, what they say, and what is missing or why it holds. */
  readonly sentence: string;
}

/** What the version's own state adds: the fields of this name of a `canary-version`'s context. */
export interface HeldState {
  /** Who or what holds it, and why; `null` where it is not held. */
  readonly held: { readonly by: string; readonly reason: string } | null;
  /** The promotion that waits for RESUME. */
  readonly waiting: object | null;
}

/**
 * Explains the state of a trial.
 *
 * @param version the context of the version's actor
 * @default version not held
 */
export function explain<State extends JudgedState>(
  judge: Judge<State>,
  state: State,
  version: HeldState = { held: null, waiting: null },
): Explanation {
  const evidence = judge.evidence(state);
  const { held, waiting } = version;
  const parts = [sentenceOf(evidence)];
  if (held !== null) parts.push(`Held by ${held.by}: ${held.reason}.`);
  if (waiting !== null) parts.push("The judge would promote it; that waits for RESUME.");
  return { ...evidence, sentence: parts.join(" ") };
}

/** The text for a judge's evidence, such as history keeps. */
export function sentenceOf(evidence: Evidence): string {
  const { canary, current, holds, missing, verdict, late } = evidence;
  const parts = [
    canary.outcomes + current.outcomes === 0
      ? "There are no outcomes yet."
      : `The canary has ${arm(canary)}, the current version ${arm(current)}` +
        `${difference(evidence)}.`,
  ];
  if (verdict !== null) {
    const decision = verdict.decision === "reject" ? "rejected" : "promoted";
    parts.push(`It is ${decision} after ${outcomes(verdict.at)}: ${because(evidence)}.`);
  } else {
    const needed = missing.flatMap((each) => each.what === "outcomes" ? [each] : []);
    if (needed.length > 0) {
      const texts = needed.map(({ arm, count }) =>
        `${count} more of the ${arm === "canary" ? "canary" : "current version"}`
      );
      parts.push(`Before anything is decided it needs ${texts.join(" and ")}.`);
    }
    for (const bound of evidence.bounds) {
      if (bound.of !== "sample-ratio") parts.push(`${boundText(bound, missing)}.`);
    }
    if (evidence.horizonIn !== null) {
      parts.push(
        evidence.horizonIn === 0
          ? "The horizon is reached."
          : `The horizon is ${outcomes(evidence.horizonIn)} of the canary away.`,
      );
    }
  }
  for (const hold of holds) parts.push(holdText(hold, evidence));
  if (late > 0) parts.push(`${outcomes(late)} came after the verdict and changed nothing.`);
  return parts.join(" ");
}

function arm({ outcomes: count, mean }: Evidence["canary"]): string {
  return mean === null ? outcomes(count) : `${outcomes(count)} with a mean of ${figure(mean)}`;
}

function difference({ difference, interval }: Evidence): string {
  if (difference === null) return "";
  const about = interval === null
    ? ""
    : ` (95 %, asymptotically: ${figure(interval[0])} to ${figure(interval[1])})`;
  if (difference === 0) return `: no difference${about}`;
  const word = difference > 0 ? "better" : "worse";
  return `: about ${figure(Math.abs(difference))} ${word}${about}`;
}

function because({ verdict, bounds }: Evidence): string {
  switch (verdict?.basis) {
    case "evidence": {
      const bound = bounds.find(({ of }) => of === verdict.decision);
      const what = verdict.decision === "reject"
        ? "that it is worse"
        : "that it is not worse by more than the margin";
      const limit = bound === undefined ? "" : ` has reached ${figure(bound.bound)}`;
      return `the e-value for the finding ${what}${limit}`;
    }
    case "horizon":
      return "the evidence had not decided at the horizon, and the policy says so";
    default:
      return "the means were compared once, by the margin";
  }
}

function boundText(
  { of, e, bound, crossedAt }: BoundEvidence,
  missing: readonly Missing[],
): string {
  const verb = of === "reject" ? "rejecting" : "promoting";
  if (crossedAt !== null) return `The evidence for ${verb} it is there since outcome ${crossedAt}`;
  const gap = missing.find((each) => each.what === "evidence" && each.of === of);
  const more = gap?.what === "evidence" && gap.outcomes !== null
    ? `, about ${outcomes(gap.outcomes)} of the canary away as things are`
    : "";
  return `For ${verb} it the e-value is ${figure(e)} of ${figure(bound)}${more}`;
}

function holdText({ why, at }: Hold, { bounds }: Evidence): string {
  if (why === "horizon") {
    return `It is held since outcome ${at}: undecided at the horizon. A later verdict still counts.`;
  }
  const bound = bounds.find(({ of }) => of === "sample-ratio");
  const figures = bound === undefined
    ? ""
    : ` (e-value ${figure(bound.e)} of ${figure(bound.bound)})`;
  return `It is held since outcome ${at}: the arms' sizes do not fit the share${figures}, so outcomes ` +
    "of one arm are lost or counted twice. Find out which before you resume.";
}

function outcomes(count: number): string {
  return count === 1 ? "1 outcome" : `${count} outcomes`;
}

function figure(value: number): string {
  if (value >= 1e6) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}
