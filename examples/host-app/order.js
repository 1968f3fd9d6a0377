import { assign, emit, fromPromise, setup } from "xstate";

/**
 * An order is paid, then shipped when it was packed. A plain xstate machine: it knows nothing of
 * databases, and runs the same under `createActor` and in the engine.
 */
export const orderMachine = setup({
  actors: {
    pay: fromPromise(() => Promise.reject(new Error("give the port `pay` to provideOrder()"))),
  },
  delays: { patience: 60_000, packing: 200 },
}).createMachine({
  id: "order",
  options: { maxIterations: 100 },
  context: ({ input }) => ({ amount: input.amount, receipt: null, gifts: 0 }),
  initial: "open",
  on: {
    GIFT: { actions: assign({ gifts: ({ context }) => context.gifts + 1 }) },
  },
  states: {
    open: {
      on: { CHECKOUT: "paying" },
      after: { patience: "expired" },
    },
    paying: {
      tags: "busy",
      invoke: {
        src: "pay",
        input: ({ context }) => ({ amount: context.amount }),
        onDone: {
          target: "packing",
          actions: [
            assign({ receipt: ({ event }) => event.output }),
            emit(({ event }) => ({ type: "PAID", receipt: event.output })),
          ],
        },
        onError: "open",
      },
    },
    packing: { after: { packing: "shipped" } },
    shipped: { type: "final" },
    expired: { type: "final" },
  },
  output: ({ context }) => ({ receipt: context.receipt, gifts: context.gifts }),
});

/** The machine with its port. `pay` takes `{ amount }` and a key, and resolves to a receipt. */
export function provideOrder({ pay, keyOf = () => undefined }) {
  return orderMachine.provide({
    actors: { pay: fromPromise(({ input, self }) => pay(input, keyOf(self))) },
  });
}
