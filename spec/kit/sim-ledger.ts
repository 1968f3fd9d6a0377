import { type AnyStateMachine, assign, cancel, emit, fromPromise, raise, setup } from "xstate";
import { tellAction } from "../../machines/ports.ts";
import { type EffectInfo, effectOf } from "../../runtime/engine/run-port.ts";
import type { Json } from "../../runtime/json.ts";

/** What a ledger is told. `tag` names the event for ever, whatever id it is delivered under. */
export type LedgerEvent =
  | { readonly type: "ADD"; readonly by: number; readonly tag: string }
  | { readonly type: "TELL"; readonly to: string; readonly tag: string }
  | { readonly type: "TOLD"; readonly tag: string }
  /** Throws while the sum is even. */
  | { readonly type: "POISON"; readonly tag: string }
  | { readonly type: "ARM"; readonly ms: number; readonly tag: string }
  | { readonly type: "DISARM"; readonly tag: string }
  | { readonly type: "WORK"; readonly ms: number; readonly tag: string }
  | { readonly type: "LEAVE"; readonly tag: string }
  | { readonly type: "END"; readonly tag: string }
  | { readonly type: "TICK" };

/** What a ledger asks of the world outside. */
export interface LedgerPorts {
  readonly work: (input: Json, info: EffectInfo) => Promise<Json>;
  readonly ship: (key: string, actor: string, payload: Json) => Promise<void>;
}

interface LedgerContext {
  readonly n: number;
  readonly ticks: number;
  readonly answers: number;
  readonly workMs: number;
}

interface ActionArgs {
  readonly context: unknown;
  readonly event: unknown;
  readonly self: { readonly id: string };
}

/** A machine with one of everything that the engine makes durable. */
export function ledgerMachine(ports: LedgerPorts): AnyStateMachine {
  return setup({
    types: { context: {} as LedgerContext, events: {} as LedgerEvent },
    actors: {
      work: fromPromise<Json, { n: number; ms: number }>(({ input, self }) =>
        ports.work(input, effectOf(self) ?? { key: "", actor: "", epoch: 0 })
      ),
    },
    actions: {
      tell: tellAction,
      ship: (args: ActionArgs, params: { readonly what: string }) =>
        ports.ship(effectOf(args.self)?.key ?? "", args.self.id, {
          kind: "action",
          type: "ship",
          params,
          context: args.context as Json,
          event: args.event as Json,
        }) as unknown as void,
    },
  }).createMachine({
    id: "ledger",
    options: { maxIterations: 100 },
    context: { n: 0, ticks: 0, answers: 0, workMs: 0 },
    initial: "idle",
    on: {
      ADD: {
        actions: [
          assign({ n: ({ context, event }) => context.n + event.by }),
          { type: "ship", params: ({ event }) => ({ what: event.tag }) },
          emit(({ event }) => ({ type: "NOTED", tag: event.tag })),
        ],
      },
      TELL: {
        actions: {
          type: "tell",
          params: ({ event }) => ({ to: event.to, event: { type: "TOLD", tag: event.tag } }),
        },
      },
      TOLD: {
        actions: [
          assign({ n: ({ context }) => context.n + 1 }),
          { type: "ship", params: ({ event }) => ({ what: event.tag }) },
        ],
      },
      POISON: {
        actions: assign(({ context }) => {
          if (context.n % 2 === 0) throw new Error("even");
          return { n: context.n + 1 };
        }),
      },
      ARM: {
        actions: [
          cancel("tick"),
          raise({ type: "TICK" }, { id: "tick", delay: ({ event }) => event.ms }),
        ],
      },
      DISARM: { actions: cancel("tick") },
      TICK: {
        actions: [
          assign({ ticks: ({ context }) => context.ticks + 1 }),
          { type: "ship", params: { what: "tick" } },
        ],
      },
      END: ".over",
    },
    states: {
      idle: {
        on: {
          WORK: { target: "working", actions: assign({ workMs: ({ event }) => event.ms }) },
        },
      },
      working: {
        invoke: {
          id: "work",
          src: "work",
          input: ({ context }) => ({ n: context.n, ms: context.workMs }),
          onDone: {
            target: "idle",
            actions: assign({ answers: ({ context }) => context.answers + 1 }),
          },
          onError: "idle",
        },
        after: { 4_000: "idle" },
        on: { LEAVE: "idle" },
      },
      over: { type: "final" },
    },
  });
}
