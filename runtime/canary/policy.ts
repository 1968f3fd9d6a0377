import * as v from "valibot";
import { SidecanaryError } from "../errors.ts";
import { shareRefusal } from "./share.ts";

const SHARE = "must be a number between 0 and 1, as in 0.1";
const ERROR_RATE = "must be a number above 0 and below 1, as in 0.05";
const MARGIN = "must be a number from 0 and below 1, as in 0.05";
const COUNT = "must be a whole number from 1";
const TIME = "must be a number of milliseconds above 0";
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

const share = v.pipe(
  v.number(SHARE),
  v.check(
    (value) => shareRefusal(value) === undefined,
    (issue) => shareRefusal(issue.input) ?? SHARE,
  ),
);
const errorRate = v.pipe(
  v.number(ERROR_RATE),
  v.gtValue(0, ERROR_RATE),
  v.ltValue(1, ERROR_RATE),
);
const margin = v.pipe(v.number(MARGIN), v.minValue(0, MARGIN), v.ltValue(1, MARGIN));
const count = v.pipe(v.number(COUNT), v.safeInteger(COUNT), v.minValue(1, COUNT));
const time = v.pipe(v.number(TIME), v.finite(TIME), v.gtValue(0, TIME));

/** Says which fields there are not, and what else an object should have been. */
const objectMessage = (what: string) => (issue: { readonly expected: string | null }) =>
  issue.expected === "never" ? `is not a field of ${what}` : `must be ${what}: an object`;

const better = v.pipe(
  v.optional(v.picklist(["higher", "lower"], 'must be "higher" or "lower"'), "higher"),
  v.description("Which scores are good ones"),
);
const sampleRatioBound = v.pipe(
  v.optional(
    v.nullable(v.pipe(
      v.number("must be a number above 1, or null for no check"),
      v.gtValue(1, "must be a number above 1, or null for no check"),
    )),
    1_000,
  ),
  v.description(
    "The e-value at which the arms' sizes do not fit the share, and the canary is held",
  ),
);
const horizonEnds = ["promote-if-no-worse", "hold", "promote", "reject"] as const;

const betting = v.strictObject({
  kind: v.literal("betting"),
  better,
  rejectError: v.pipe(
    v.optional(errorRate, 0.05),
    v.description("α: how often a canary that is no worse may be rejected"),
  ),
  rejectMargin: v.pipe(
    v.optional(margin, 0),
    v.description("δ_r: harm up to this is borne; 0 rejects any harm that is proven"),
  ),
  promoteError: v.pipe(
    v.optional(errorRate, 0.05),
    v.description("β: how often a canary that is worse by the margin may be promoted on evidence"),
  ),
  promoteMargin: v.pipe(
    v.optional(v.pipe(margin, v.gtValue(0, "must be above 0, as in 0.05")), 0.05),
    v.description("δ_p: evidence that it is not worse by more than this promotes"),
  ),
  minOutcomes: v.pipe(
    v.optional(count, 5),
    v.description("Outcomes that each arm must have before anything is decided"),
  ),
  horizon: v.pipe(
    v.optional(
      v.nullable(v.strictObject({
        outcomes: v.pipe(
          v.optional(count, 100),
          v.description("Outcomes of the canary after which it should be decided"),
        ),
        then: v.pipe(
          v.optional(
            v.picklist(horizonEnds, `must be one of ${horizonEnds.join(", ")}`),
            "promote-if-no-worse",
          ),
          v.description("What becomes of it when the evidence has not decided by then"),
        ),
      }, objectMessage("a horizon"))),
      {},
    ),
    v.description("null: only evidence decides, and the expiry ends"),
  ),
  sampleRatioBound,
}, objectMessage("a judge"));

const byMargin = v.strictObject({
  kind: v.literal("margin"),
  better,
  margin: v.pipe(
    v.optional(margin, 0.2),
    v.description("Means that differ by more than this reject; by as much they do not"),
  ),
  minOutcomes: v.pipe(
    v.optional(count, 30),
    v.description("Outcomes that each arm must have; the first look decides"),
  ),
  sampleRatioBound,
}, objectMessage("a judge"));

const ending = v.picklist(["reject", "shelve"], 'must be "reject" or "shelve"');

const step = v.pipe(
  v.strictObject({
    share,
    outcomes: v.pipe(
      v.optional(count),
      v.description("Goes on after this many outcomes of the canary in this step"),
    ),
    forMs: v.pipe(v.optional(time), v.description("Goes on after this time")),
  }, objectMessage("a step")),
  v.check(
    ({ outcomes, forMs }) => outcomes !== undefined || forMs !== undefined,
    "must have outcomes or forMs, or it would never be left; the last share is the policy's own",
  ),
);

/** What a policy for canaries may hold. A field that is not named here is an error. */
export const canaryPolicySchema = v.pipe(
  v.strictObject({
    enabled: v.pipe(
      v.optional(v.boolean("must be true or false"), false),
      v.description("Turns routing and judging on, together"),
    ),
    start: v.pipe(
      v.optional(
        v.picklist(["manual", "on-publish"], 'must be "manual" or "on-publish"'),
        "manual",
      ),
      v.description("Whether a published version becomes a canary by itself"),
    ),
    share: v.pipe(
      v.optional(share, 0.1),
      v.description("The part of the units that get the canary, after the ramp"),
    ),
    ramp: v.pipe(
      v.optional(v.array(step, "must be an array of steps"), []),
      v.description("Smaller shares that come first, in their order"),
    ),
    unit: v.pipe(
      v.optional(v.picklist(["key", "request"], 'must be "key" or "request"'), "key"),
      v.description("key: one outcome of each unit counts; request: every unit is used once"),
    ),
    judge: v.pipe(
      v.optional(
        v.variant(
          "kind",
          [betting, byMargin],
          'must be a judge: an object with kind "betting" or "margin"',
        ),
        { kind: "betting" },
      ),
      v.description("The rule that decides"),
    ),
    expireMs: v.pipe(
      v.optional(time, WEEK_MS),
      v.description("How long a canary may stay undecided; seven days where not given"),
    ),
    onExpire: v.pipe(v.optional(ending, "reject"), v.description("shelve: it is pending again")),
    onSupersede: v.pipe(
      v.optional(ending, "reject"),
      v.description("When its champion is replaced"),
    ),
    watchMs: v.pipe(
      v.optional(
        v.pipe(
          v.number("must be a number of milliseconds, or 0 for none"),
          v.finite("must be a number of milliseconds, or 0 for none"),
          v.minValue(0, "must be a number of milliseconds, or 0 for none"),
        ),
        0,
      ),
      v.description("How long a promoted version is watched"),
    ),
    deadline: v.pipe(
      v.optional(
        v.nullable(v.strictObject({
          afterMs: time,
          score: v.optional(
            v.pipe(
              v.number("must be a score from 0 to 1"),
              v.minValue(0, "must be a score from 0 to 1"),
              v.maxValue(1, "must be a score from 0 to 1"),
            ),
          ),
        }, objectMessage("a deadline"))),
        null,
      ),
      v.description(
        "After this time an exposed assignment without an outcome gets a score: the worst one where not given",
      ),
    ),
  }, objectMessage("a policy")),
  v.forward(
    v.check(
      ({ ramp, share }) =>
        [...ramp, { share }].every((each, n, all) => each.share > (all[n - 1]?.share ?? 0)),
      "must rise from step to step, and stay below the policy's share",
    ),
    ["ramp"],
  ),
  v.title("canary policy"),
  v.description("How candidates of a stream are tried out and decided"),
);

/** A policy with every default filled in. Plain data; a trial keeps the one that it began with. */
export type CanaryPolicy = v.InferOutput<typeof canaryPolicySchema>;

/** A policy as it is written. */
export type CanaryPolicyInput = v.InferInput<typeof canaryPolicySchema>;

/** The part of a policy that the judge `betting` goes by. */
export type BettingPolicy = v.InferOutput<typeof betting>;

/** The part of a policy that the judge `margin` goes by. */
export type MarginPolicy = v.InferOutput<typeof byMargin>;

/**
 * Reads a policy.
 *
 * @param input of any kind, as from a file
 * @param source for the message: a path, the name of a stream
 * @throws {SidecanaryError} `config-invalid` that names the first field that is wrong, and all in its message
 */
export function parseCanaryPolicy(input: unknown, source: string): CanaryPolicy {
  const parsed = v.safeParse(canaryPolicySchema, input);
  if (parsed.success) return parsed.output;
  const problems = parsed.issues.map((issue) => {
    const field = v.getDotPath(issue);
    return { field, text: `${field ?? "it"} ${issue.message}` };
  });
  const [first] = problems;
  throw new SidecanaryError(
    "config-invalid",
    `The canary policy of ${source} is wrong: ${problems.map(({ text }) => text).join("; ")}.`,
    first?.field == null ? { path: source } : { path: source, field: first.field },
  );
}
