import { appendFileSync } from "node:fs";
import process from "node:process";
import { assign, emit, fromPromise, setup } from "xstate";
import { tellAction } from "../../../machines/ports.ts";
import { openEngine } from "../../../runtime/engine/engine.ts";
import { effectOf } from "../../../runtime/engine/run-port.ts";
import { openSqliteStore } from "../../../runtime/store/sqlite/sqlite-store.ts";

/**
 * Works through a fixed list of events over a SQLite store, and kills itself at a fault point.
 *
 * Arguments: the store's file, a file that receives a line for every effect, the fault point or "",
 * and at which hit of it. Ends with 0 when the job is finished.
 */
const [path = "", received = "", point = "", hit = "1"] = process.argv.slice(2);

const note = (line: string) => appendFileSync(received, `${line}\n`);

const jobMachine = setup({
  types: {
    context: {} as { n: number; receipt: unknown },
    events: {} as { type: "ADD" } | { type: "CHARGE" },
    emitted: {} as { type: "ADDED"; n: number },
  },
  actors: {
    charge: fromPromise<string>(({ self }) => {
      note(`charge ${effectOf(self)?.key}`);
      return Promise.resolve("receipt");
    }),
  },
  actions: {
    tell: tellAction,
    note: ({ self }) => note(`note ${effectOf(self)?.key}`),
  },
}).createMachine({
  id: "job",
  options: { maxIterations: 100 },
  context: { n: 0, receipt: null },
  initial: "collecting",
  states: {
    collecting: {
      on: {
        ADD: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            { type: "note" },
            { type: "tell", params: { to: "sink", event: { type: "ADD" } } },
            emit(({ context }) => ({ type: "ADDED" as const, n: context.n })),
          ],
        },
        CHARGE: "charging",
      },
    },
    charging: {
      invoke: {
        src: "charge",
        onDone: { target: "cooling", actions: assign({ receipt: ({ event }) => event.output }) },
      },
    },
    cooling: { after: { 30: "finished" } },
    finished: { type: "final" },
  },
});

const sinkMachine = setup({ types: { context: {} as { n: number } } }).createMachine({
  id: "sink",
  options: { maxIterations: 100 },
  context: { n: 0 },
  on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

let hits = 0;
const store = await openSqliteStore({ path });
const engine = await openEngine({
  store,
  leaseMs: 300,
  pollMs: 25,
  faults: (at) => {
    if (at === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
  },
});
engine.on({ type: "ADDED" }, ({ id }) => note(`announce ${id}`));
engine.register(sinkMachine);
engine.register(jobMachine);
await engine.start("sink", "sink");
await engine.start("job", "job");
for (let index = 0; index < 5; index++) {
  await engine.deliver("job", { type: "ADD" }, { eventId: `add-${index}` });
}
await engine.deliver("job", { type: "CHARGE" }, { eventId: "charge" });
await engine.waitFor("job", (view) => view.status === "done", { timeoutMs: 20_000 });
await engine.waitFor("sink", (view) => (view.context as { n: number }).n === 5, {
  timeoutMs: 20_000,
});
await settled();
await engine.close();
await store.close();

/** Effects of a dead owner are adopted when its lease has run out. */
async function settled(): Promise<void> {
  while ((await store.outbox(null, 1)).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
