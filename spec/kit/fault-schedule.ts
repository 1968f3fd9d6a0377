import fc from "fast-check";
import type { ConnectionFault } from "./fault-proxy.ts";
import type { HostFault, HostFaultKind } from "../../runtime/host-fault.ts";

/** A fault of one call of a host's provider. */
export interface CallFault {
  readonly fault: HostFault;
  readonly kind: HostFaultKind;
  /** `before`: nothing was done. `after`: it was done, and the answer is lost. */
  readonly when: "before" | "after";
  readonly retryAfterMs?: number;
}

/** What a command on a host is for: the verb of the lane script, or `other`. */
export type CommandVerb =
  | "init"
  | "base"
  | "open"
  | "run"
  | "freeze"
  | "close"
  | "remove"
  | "destroy"
  | "other";

/** One connection that is lost. */
export interface Drop {
  /** The command that it is lost at: the `nth` of its kind, from 0, counted over all hosts. */
  readonly verb: CommandVerb;
  readonly nth: number;
  /**
   * `unsent`: before it came there; `running`: after it was sent; `unanswered`: it was done, and
   * nobody heard of it.
   */
  readonly when: "unsent" | "running" | "unanswered";
  /** How long after it was sent, in ms, where it is lost as it runs. */
  readonly afterMs: number;
}

/** A host that is gone with everything on it, some time after a command was sent to it. */
export type Death = Omit<Drop, "when">;

/** Faults for a whole campaign: plain data, the same ones for the same schedule. */
export interface FaultSchedule {
  /** For each call in order; `null` and what comes after the last: none. */
  readonly creates: readonly (CallFault | null)[];
  readonly lists: readonly (CallFault | null)[];
  readonly connects: readonly (CallFault | null)[];
  readonly destroys: readonly (CallFault | null)[];
  readonly drops: readonly Drop[];
  readonly deaths: readonly Death[];
}

/** Nothing goes wrong. */
export const NO_FAULTS: FaultSchedule = {
  creates: [],
  lists: [],
  connects: [],
  destroys: [],
  drops: [],
  deaths: [],
};

/**
 * How many faults in a row a host may have and change no verdict: a phase of a variant, dialling again
 * and destroying have three attempts each. A command of a lane that comes to its end ends the row.
 */
export const FAULTS_IN_A_ROW = 2;

/** The same for a host that comes up: there are twelve attempts. */
export const FAULTS_IN_A_BOOT = 8;

/** How many hosts may die: a variant survives three lost sidecars, and so does a sidecar's place. */
export const DEATHS = 2;

const REFUSALS: readonly [HostFault, HostFaultKind][] = [
  ["refused", "while-booting"],
  ["closed-early", "while-booting"],
  ["starting", "while-booting"],
  ["dial-timeout", "reconnect"],
  ["reset", "reconnect"],
  ["unreachable", "reconnect"],
  ["resolver-down", "reconnect"],
  ["disconnected", "reconnect"],
  ["tunnel-status", "reconnect"],
  ["tunnel-closed", "reconnect"],
];

const REPLIES: readonly [HostFault, HostFaultKind][] = [
  ["server-error", "reconnect"],
  ["closed-early", "reconnect"],
  ["reset", "reconnect"],
];

function callFault(
  faults: readonly [HostFault, HostFaultKind][],
  whens: readonly CallFault["when"][],
): fc.Arbitrary<CallFault> {
  const plain = fc.tuple(fc.constantFrom(...faults), fc.constantFrom(...whens))
    .map(([[fault, kind], when]): CallFault => ({ fault, kind, when }));
  const limited = fc.integer({ min: 0, max: 5_000 }).map((retryAfterMs): CallFault => ({
    fault: "rate-limited",
    kind: "reconnect",
    when: "before",
    retryAfterMs,
  }));
  return fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: limited });
}

function calls(fault: fc.Arbitrary<CallFault>, most: number): fc.Arbitrary<(CallFault | null)[]> {
  return fc.array(fc.option(fault, { freq: 2 }), { maxLength: most });
}

const dropVerb = fc.constantFrom<CommandVerb[]>(
  ...["init", "base", "open", "freeze", "close", "remove", "other"] as const,
  // Where the verdicts come from.
  ...["open", "run", "run", "run"] as const,
);

const drop: fc.Arbitrary<Drop> = fc.record({
  verb: dropVerb,
  nth: fc.integer({ min: 0, max: 8 }),
  when: fc.constantFrom<Drop["when"][]>("unsent", "running", "unanswered"),
  afterMs: fc.integer({ min: 0, max: 40 }),
});

const death: fc.Arbitrary<Death> = fc.record({
  verb: fc.constantFrom<CommandVerb[]>("init", "base", "open", "run", "run", "close", "other"),
  nth: fc.integer({ min: 0, max: 6 }),
  afterMs: fc.integer({ min: 0, max: 40 }),
});

/**
 * Faults that change no verdict and leave nothing behind, when no host has more than
 * {@link FAULTS_IN_A_ROW} of them in a row, or {@link FAULTS_IN_A_BOOT} while it comes up, and no more
 * than {@link DEATHS} hosts die. Which command meets which other one is for the operating system to
 * say, so it is `fault-schedule-hosts.ts` that holds back what would be beyond.
 */
export function faultsWithin(
  { disposable }: { readonly disposable: boolean },
): fc.Arbitrary<FaultSchedule> {
  const refusal = callFault(REFUSALS, ["before"]);
  return fc.record({
    creates: calls(callFault(REPLIES, ["before", "after"]), 5),
    lists: calls(callFault(REPLIES, ["before"]), 8),
    connects: calls(refusal, 16),
    destroys: calls(callFault(REPLIES, ["before", "after"]), 6),
    drops: fc.array(drop, { maxLength: 8 }),
    deaths: disposable ? fc.array(death, { maxLength: DEATHS }) : fc.constant([]),
  });
}

/** Faults that no number of attempts gets over, by what they do. */
export type Outage =
  /** No host can be made. */
  | { readonly kind: "no-create"; readonly fault: CallFault }
  /** Hosts are made and never answer. */
  | { readonly kind: "no-connect"; readonly fault: CallFault }
  /** From the so manieth command of a variant on, every connection is lost as it runs. */
  | { readonly kind: "no-run"; readonly from: number }
  /** From the so manieth one on, every host dies that a variant runs on. */
  | { readonly kind: "all-die"; readonly from: number };

/** What is beyond the limits. */
export const faultsBeyond: fc.Arbitrary<Outage> = fc.oneof(
  fc.record({
    kind: fc.constant("no-create" as const),
    fault: fc.oneof(
      callFault(REPLIES, ["before"]),
      fc.constant<CallFault>({ fault: "unauthorised", kind: "never", when: "before" }),
      fc.constant<CallFault>({ fault: "limit-reached", kind: "never", when: "before" }),
    ),
  }),
  fc.record({ kind: fc.constant("no-connect" as const), fault: callFault(REFUSALS, ["before"]) }),
  fc.record({ kind: fc.constant("no-run" as const), from: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant("all-die" as const), from: fc.integer({ min: 1, max: 4 }) }),
);

/** The schedule of an outage. */
export function outageSchedule(outage: Outage, calls = 200): FaultSchedule {
  const ever = (fault: CallFault) => Array<CallFault>(calls).fill(fault);
  const from = (first: number) => Array.from({ length: calls }, (_, at) => first + at);
  switch (outage.kind) {
    case "no-create":
      return { ...NO_FAULTS, creates: ever(outage.fault) };
    case "no-connect":
      return { ...NO_FAULTS, connects: ever(outage.fault) };
    case "no-run":
      return {
        ...NO_FAULTS,
        drops: from(outage.from).map((nth) => ({ verb: "run", nth, when: "running", afterMs: 0 })),
      };
    case "all-die":
      return {
        ...NO_FAULTS,
        deaths: from(outage.from).map((nth) => ({ verb: "run", nth, afterMs: 0 })),
      };
  }
}

/** Faults of the connections to one server. */
export interface ConnectionSchedule {
  /** For each connection in order; `null` and what comes after the last: none. */
  readonly connections: readonly (ConnectionFault | null)[];
  /** Why the first channels are refused (RFC 4254 §5.1): no resources, or a limit in other words. */
  readonly refusals: readonly (2 | 4)[];
  /** Connections that are lost at a command. */
  readonly drops: readonly Drop[];
}

/** The bytes of each direction within which a connection is certainly still being made. */
const HANDSHAKE_BYTES = 600;

const unmade = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("reset" as const, "close" as const),
      of: fc.constantFrom("up" as const, "down" as const),
      at: fc.nat({ max: HANDSHAKE_BYTES }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("banner" as const),
      text: fc.constantFrom("SSH-2.0-Early_1\r\n", "", "The system is going down\r\n"),
    }),
  },
  {
    weight: 1,
    // What was up is asked only every ten seconds whether it still is.
    arbitrary: fc.record({
      kind: fc.constant("stall" as const),
      of: fc.constantFrom("up" as const, "down" as const),
      at: fc.nat({ max: HANDSHAKE_BYTES }),
    }),
  },
);

const atWork = fc.record({
  kind: fc.constantFrom("reset" as const, "close" as const),
  of: fc.constantFrom("up" as const, "down" as const),
  at: fc.oneof(fc.nat({ max: 6_000 }), fc.integer({ min: 6_000, max: 60_000 })),
});

const refusals = fc.array(fc.constantFrom(2 as const, 4 as const), { maxLength: 3 });

/** Two good connections after each bad one: an attempt may need both, to look and to connect. */
function spaced(fault: fc.Arbitrary<ConnectionFault>): fc.Arbitrary<(ConnectionFault | null)[]> {
  return fc.tuple(fc.nat({ max: 1 }), fc.array(fault, { minLength: 1, maxLength: 4 })).map(
    ([calm, faults]) => [
      ...Array<null>(calm).fill(null),
      ...faults.flatMap((each) => [each, null, null]),
    ],
  );
}

/**
 * Either connections that are lost at work after so many bytes, or such that cannot be made beside
 * commands at which one is lost: both together could be three losses in a row.
 */
export const connectionsWithin: fc.Arbitrary<ConnectionSchedule> = fc.oneof(
  fc.record({ connections: spaced(atWork), refusals, drops: fc.constant([]) }),
  fc.record({
    connections: spaced(unmade),
    refusals,
    drops: fc.array(
      drop.filter(({ verb }) => ["base", "open", "run", "freeze"].includes(verb)),
      { maxLength: 6 },
    ),
  }),
);
