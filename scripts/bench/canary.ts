import { bettingJudge } from "../../runtime/canary/judge/betting.ts";
import { judgedOutcome } from "../../runtime/canary/judged-outcome.ts";
import { murmur3 } from "../../runtime/canary/murmur3.ts";
import { parseCanaryPolicy } from "../../runtime/canary/policy.ts";
import { route } from "../../runtime/canary/route.ts";
import { seededRandom } from "../../runtime/canary/seeded-random.ts";
import { streamSnapshot } from "../../runtime/canary/stream-snapshot.ts";
import { type BenchRow, median } from "./row.ts";

const KEYS = 4_096;

/** Routing beside one hash of the same key, and recording with judging in memory. */
export function benchCanary(smoke: boolean): Promise<BenchRow[]> {
  const calls = smoke ? 10_000 : 200_000;
  const rounds = smoke ? 1 : 49;
  const random = seededRandom(1);
  const hex = () => Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
  // As long as the usual UUID.
  const keys = Array.from({ length: KEYS }, () => `${hex()}-${hex()}-${hex()}-${hex()}`);
  const snapshot = streamSnapshot({
    stream: "planner",
    revision: 7,
    current: "planner@v7",
    canary: { version: "planner@v8", trial: 1, share: 0.1, step: 0 },
  });
  const seed = snapshot.canary?.seed ?? 0;
  let sink = 0;
  const hashes: number[] = [];
  const routes: number[] = [];
  // In turns, so that both feel the same machine.
  for (let round = 0; round <= rounds; round++) {
    hashes.push(timed(calls, (n) => {
      sink ^= murmur3(keys[n % KEYS] as string, seed);
    }));
    routes.push(timed(calls, (n) => {
      sink ^= route(snapshot, keys[n % KEYS] as string).arm.length;
    }));
  }
  const [hash, routing] = [hashes, routes].map((all) => median(all.slice(1))) as [number, number];

  const { judge: policy } = parseCanaryPolicy({
    judge: { kind: "betting", minOutcomes: 1_000_000_000 },
  }, "bench");
  if (policy.kind !== "betting") throw new TypeError(policy.kind);
  const judge = bettingJudge(policy);
  const assignments = keys.map((key) => route(snapshot, key));
  const judging: number[] = [];
  const batched: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    let state = judge.start();
    const recorded = new Set<number>();
    judging.push(timed(calls / 10, (n) => {
      if (recorded.has(n)) return;
      recorded.add(n);
      const assignment = assignments[n % KEYS];
      const outcome = assignment && judgedOutcome(assignment, n % 10 === 0 ? 0 : 1);
      if (outcome) ({ state } = judge.fold(state, [outcome]));
    }));
    const outcomes = assignments.flatMap((assignment, n) =>
      judgedOutcome(assignment, n % 10 === 0 ? 0 : 1) ?? []
    );
    batched.push(
      timed(calls / 10 / KEYS, () => {
        ({ state } = judge.fold(state, outcomes));
      }) / KEYS,
    );
    sink ^= state.canaryCount;
  }
  // The quickest round is what the code takes where nobody else has the processor.
  const [one, batch] = [Math.min(...judging), Math.min(...batched)];
  // Whatever nobody looks at might not be computed.
  if (Number.isNaN(sink)) throw new TypeError("no figure");
  return Promise.resolve([
    {
      what: `route() of a unit of ${keys[0]?.length ?? 0} characters`,
      figure: `${routing.toFixed(0)} ns; ${(routing / hash).toFixed(2)} × murmur3 (${
        hash.toFixed(0)
      } ns)`,
      target: "≤ 3 × one murmur3 of the same key",
      met: routing <= 3 * hash,
    },
    {
      what: "record and judge in memory, one outcome at a time",
      figure: `${one.toFixed(0)} ns at best, ${median(judging).toFixed(0)} in the middle`,
      target: "≤ 300 ns",
      met: one <= 300,
    },
    { what: `  the same in batches of ${KEYS}`, figure: `${batch.toFixed(0)} ns an outcome` },
  ]);
}

/** Nanoseconds a call. */
function timed(calls: number, call: (n: number) => void): number {
  const count = Math.max(1, Math.floor(calls));
  const start = performance.now();
  for (let n = 0; n < count; n++) call(n);
  return (performance.now() - start) * 1e6 / count;
}
