import { assign, emit, type EventObject, fromCallback, fromPromise, setup } from "xstate";
import { tellAction } from "../../machines/ports.ts";
import { openEngine } from "../../runtime/engine/engine.ts";
import type { Engine } from "../../runtime/engine/engine.ts";
import type { EngineOptions, Problem } from "../../runtime/engine/options.ts";
import { effectOf } from "../../runtime/engine/run-port.ts";
import { VirtualClock } from "../../runtime/engine/virtual-clock.ts";
import type { Store } from "../../runtime/store/store.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";

/** A number in [0, 1) from a seed, the same every time. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An engine on a memory store and a virtual clock, with what it complained about. */
export interface World {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: VirtualClock;
  readonly problems: Problem[];
}

/** Opens an engine; several worlds may share a store and a clock. */
export async function world(
  options: Partial<EngineOptions> & { readonly clock?: VirtualClock } = {},
): Promise<World> {
  const { store = openMemoryStore(), clock = new VirtualClock(1_000_000), ...rest } = options;
  const problems: Problem[] = [];
  const engine = await openEngine({
    random: seeded(1),
    onProblem: (problem) => problems.push(problem),
    ...rest,
    store,
    clock,
  });
  return { engine, store, clock, problems };
}

/** Counts up; ADD takes a number, FAIL throws in an assign, END ends it. */
export const counterMachine = setup({
  types: {
    context: {} as { n: number },
    events: {} as { type: "ADD"; by: number } | { type: "FAIL" } | { type: "END" },
    input: {} as { n?: number } | null,
  },
}).createMachine({
  id: "counter",
  options: { maxIterations: 100 },
  context: ({ input }) => ({ n: input?.n ?? 0 }),
  initial: "counting",
  states: {
    counting: {
      on: {
        ADD: { actions: assign({ n: ({ context, event }) => context.n + event.by }) },
        FAIL: {
          actions: assign(() => {
            throw new Error("told to fail");
          }),
        },
        END: "over",
      },
    },
    over: { type: "final" },
  },
  output: ({ context }) => ({ n: context.n }),
});

/** One call of a port, to be answered by the test. */
export interface Call {
  readonly key: string;
  readonly actor: string;
  readonly epoch: number;
  readonly input: unknown;
  readonly signal: AbortSignal;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Works until its port answers; an answer of the port that nobody handles is a failure. */
export function workerMachine(calls: Call[]) {
  return setup({
    types: {
      context: {} as { result: unknown; ticks: number },
      events: {} as
        | { type: "GO" }
        | { type: "LEAVE" }
        | { type: "TICK" }
        | { type: "END" }
        | { type: "SAY"; text: string },
      emitted: {} as { type: "SAID"; text: string },
    },
    actors: {
      work: fromPromise<unknown, { ticks: number }>(({ input, self, signal }) =>
        new Promise((resolve, reject) => {
          const { key, actor, epoch } = effectOf(self) ?? { key: "", actor: "", epoch: 0 };
          calls.push({ key, actor, epoch, input, signal, resolve, reject });
        })
      ),
    },
    actions: { tell: tellAction },
  }).createMachine({
    id: "worker",
    options: { maxIterations: 100 },
    context: { result: null, ticks: 0 },
    initial: "idle",
    on: {
      TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
      SAY: { actions: emit(({ event }) => ({ type: "SAID" as const, text: event.text })) },
      END: ".over",
    },
    states: {
      idle: { on: { GO: "working" } },
      working: {
        tags: ["busy"],
        invoke: {
          id: "work",
          src: "work",
          input: ({ context }) => ({ ticks: context.ticks }),
          onDone: { target: "done", actions: assign({ result: ({ event }) => event.output }) },
        },
        after: { 60_000: "late" },
        on: { LEAVE: "idle" },
      },
      done: {},
      late: {},
      over: { type: "final" },
    },
  });
}

/** Watches by a callback port; `open` holds what stands open. */
export function watcherMachine(
  open: Map<string, { readonly epoch: number; readonly send: (event: EventObject) => void }>,
) {
  return setup({
    types: { context: {} as { seen: number[] }, events: {} as { type: "SEEN"; n: number } },
    actors: {
      watch: fromCallback(({ sendBack, self }) => {
        const { key, epoch } = effectOf(self) ?? { key: "", epoch: 0 };
        open.set(key, { epoch, send: sendBack });
        return () => void open.delete(key);
      }),
    },
  }).createMachine({
    id: "watcher",
    options: { maxIterations: 100 },
    context: { seen: [] },
    invoke: { id: "watch", src: "watch" },
    on: {
      SEEN: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
    },
  });
}

/** The outbox rows of an actor, as `id state`. */
export async function outboxOf(store: Store, actor: string): Promise<string[]> {
  return (await store.outbox(actor, 1_000)).map((row) => `${row.id} ${row.state}`);
}
