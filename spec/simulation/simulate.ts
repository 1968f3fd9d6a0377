import type { Random } from "../../runtime/random.ts";
import { seeded } from "../engine/engine-kit.ts";
import {
  acceptedAreKept,
  nothingIsDue,
  receivedAll,
  refold,
  tagsAreUnique,
} from "../kit/sim-checks.ts";
import type { LedgerEvent } from "../kit/sim-ledger.ts";
import { SeededWire } from "../kit/sim-seeded-wire.ts";
import { leaseMs, SimWorld } from "../kit/sim-world.ts";
import type { Mutant } from "../kit/mutants.ts";
import { bootLedger, ledgerEvent, ledgerLogic } from "../properties/ledger-run.ts";

/** What a simulated run came to. */
export interface Simulated {
  /** The hash of every store call and of the states they left, in order. */
  readonly trace: string;
  /** How many store calls were performed. */
  readonly steps: number;
  readonly virtualMs: number;
  readonly transitions: number;
  /** How many requests the outside service got, and for how many different keys. */
  readonly requests: number;
  readonly keys: number;
  readonly crashes: number;
  readonly stalls: number;
  readonly violations: readonly string[];
}

const actors = ["a", "b", "c", "d"] as const;
const events = [
  ...[
    "ADD",
    "ADD",
    "ADD",
    "TELL",
    "TELL",
    "ARM",
    "ARM",
    "DISARM",
    "WORK",
    "WORK",
    "WORK",
    "WORK",
  ] as const,
  ...["LEAVE", "POISON"] as const,
];

/**
 * Runs three processes with clocks apart for a virtual minute, while clients send events twice,
 * messages are slow or lost, and processes crash or stand still for longer than their leases. Then
 * lets everything come to rest and checks every rule. The same seed is the same run, call for call.
 */
export async function simulate(seed: number, mutant?: Mutant): Promise<Simulated> {
  const random = seeded(seed);
  const chance = seeded(seed + 3);
  const counts = { crashes: 0, stalls: 0, clients: 0, isOver: false };
  const wire = new SeededWire(seeded(seed + 1), 0.02);
  const world = wire.world = new SimWorld({
    wire,
    processes: 3,
    mutant,
    skewMs: [0, 100, -100],
    watch: { skewMs: 200 },
    engine: { random: seeded(seed + 2) },
    boot: bootLedger,
    onPoint: (process) => {
      if (counts.isOver || chance() > 0.002) return;
      counts.crashes++;
      process.crash(500 + chance() * 3_000);
    },
  });
  const began = world.clock.now();
  await world.open();
  const nemesis = trouble(world, random, counts);
  const clients = traffic(world, random, counts);
  await world.pass(60_000);
  counts.isOver = true;
  nemesis();
  clients();
  wire.calm();
  await world.addProcess();
  await world.pass(12 * leaseMs);
  const virtualMs = world.clock.now() - began;
  world.end();
  await world.pass(leaseMs);
  const refolded = await refold(world.store, [ledgerLogic]);
  return {
    trace: world.watched.trace,
    steps: world.watched.steps,
    virtualMs,
    transitions: (await world.store.feed(0, Number.MAX_SAFE_INTEGER)).length,
    requests: world.receiver.requests.length,
    keys: world.receiver.done.size,
    crashes: counts.crashes,
    stalls: counts.stalls,
    violations: [
      ...refolded.violations,
      ...await acceptedAreKept(world),
      ...await tagsAreUnique(world.store),
      ...await nothingIsDue(world.store, world.clock.now() - 2 * leaseMs),
      ...receivedAll(world, refolded),
      ...world.violations,
      ...counts.clients === 0 ? [] : [`P1: ${counts.clients} clients never got an answer`],
    ],
  };
}

/** Crashes processes and lets them stand still, now and then. Answers how to stop. */
function trouble(
  world: SimWorld,
  random: Random,
  counts: { crashes: number; stalls: number },
): () => void {
  return every(world, () => 2_000 + random() * 6_000, () => {
    const process = world.processes[Math.floor(random() * world.processes.length)];
    if (process?.engine === undefined) return;
    if (random() < 0.5) {
      counts.crashes++;
      process.crash(500 + random() * 3_000);
    } else {
      counts.stalls++;
      process.pause((1 + random() * 4) * leaseMs);
    }
  });
}

/** Sends each event once or twice at the same time. Answers how to stop. */
function traffic(world: SimWorld, random: Random, counts: { clients: number }): () => void {
  const draw = <Each>(from: readonly Each[]): Each => from[Math.floor(random() * from.length)]!;
  let sent = 0;
  const started = new Set<string>();
  return every(world, () => random() * 1_000, () => {
    const to = draw(actors);
    const what: LedgerEvent["type"] = draw(events);
    const n = 1 + Math.floor(random() * 8);
    const eventId = `e${sent++}`;
    const copies = random() < 0.5 ? 1 : 2;
    for (let copy = 0; copy < copies; copy++) void send();

    async function send(): Promise<void> {
      counts.clients++;
      while (!started.has(to)) {
        const answer = await world.attempt((engine) => engine.start(to, "ledger"));
        if (answer !== undefined) started.add(to);
      }
      await world.deliver(to, ledgerEvent(what, to, n, eventId), eventId);
      counts.clients--;
    }
  });
}

function every(world: SimWorld, delayMs: () => number, act: () => void): () => void {
  let isOver = false;
  const next = () => {
    world.clock.setTimeout(() => {
      if (isOver) return;
      act();
      next();
    }, Math.floor(delayMs()));
  };
  next();
  return () => void (isOver = true);
}
