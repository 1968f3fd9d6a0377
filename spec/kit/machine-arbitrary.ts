import fc from "fast-check";
import {
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromPromise,
  raise,
} from "xstate";

/** The events that a generated machine may be sent. */
export const eventTypes = ["E0", "E1", "E2"] as const;

/** A machine as data, so that fast-check can shrink and print it. */
export interface MachinePlan {
  readonly root: NodePlan;
}

interface NodePlan {
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "shallow" | "deep";
  readonly children: readonly NodePlan[];
  readonly on: readonly (readonly [string, EdgePlan])[];
  readonly always: EdgePlan | null;
  readonly after: readonly (readonly [number, EdgePlan])[];
  readonly invoke: { readonly done: EdgePlan; readonly error: EdgePlan | null } | null;
  readonly entry: readonly ActionPlan[];
  readonly exit: readonly ActionPlan[];
}

interface EdgePlan {
  /** Which node is the target, as a number modulo their count; -1 for none. */
  readonly target: number;
  readonly reenter: boolean;
  /** Taken where `count % modulus === rest`; modulus 0 for no guard. */
  readonly modulus: number;
  readonly rest: number;
  readonly actions: readonly ActionPlan[];
}

type ActionPlan =
  | { readonly do: "add"; readonly by: number }
  | { readonly do: "raise"; readonly event: string }
  | { readonly do: "delay"; readonly event: string; readonly id: string; readonly ms: number }
  | { readonly do: "cancel"; readonly id: string }
  | { readonly do: "emit"; readonly n: number }
  | { readonly do: "remember" }
  | { readonly do: "enqueue"; readonly by: number };

const timerIds = ["t0", "t1"] as const;

const action: fc.Arbitrary<ActionPlan> = fc.oneof(
  fc.record({ do: fc.constant("add" as const), by: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant("raise" as const), event: fc.constantFrom(...eventTypes) }),
  fc.record({
    do: fc.constant("delay" as const),
    event: fc.constantFrom(...eventTypes),
    id: fc.constantFrom(...timerIds),
    ms: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ do: fc.constant("cancel" as const), id: fc.constantFrom(...timerIds) }),
  fc.record({ do: fc.constant("emit" as const), n: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ do: fc.constant("remember" as const) }),
  fc.record({ do: fc.constant("enqueue" as const), by: fc.integer({ min: 1, max: 3 }) }),
);

const edge: fc.Arbitrary<EdgePlan> = fc.record({
  target: fc.integer({ min: -1, max: 30 }),
  reenter: fc.boolean(),
  modulus: fc.constantFrom(0, 0, 2, 3),
  rest: fc.integer({ min: 0, max: 2 }),
  actions: fc.array(action, { maxLength: 2 }),
});

const { node } = fc.letrec<{ node: NodePlan }>((tie) => ({
  node: fc.record({
    kind: fc.constantFrom(
      "atomic" as const,
      "atomic" as const,
      "compound" as const,
      "parallel" as const,
      "final" as const,
      "shallow" as const,
      "deep" as const,
    ),
    children: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant<NodePlan[]>([]),
      fc.array(tie("node"), { minLength: 1, maxLength: 3 }),
    ),
    on: fc.array(fc.tuple(fc.constantFrom(...eventTypes), edge), { maxLength: 3 }),
    always: fc.option(edge, { freq: 5 }),
    after: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), edge), { maxLength: 1 }),
    invoke: fc.option(fc.record({ done: edge, error: fc.option(edge, { freq: 3 }) }), { freq: 3 }),
    entry: fc.array(action, { maxLength: 2 }),
    exit: fc.array(action, { maxLength: 1 }),
  }),
}));

/** Machines of up to three levels with everything that the engine runs durably. */
export const machinePlan: fc.Arbitrary<MachinePlan> = fc
  .array(node, { minLength: 2, maxLength: 4 })
  .map((children) => ({
    root: {
      kind: "compound",
      children,
      on: [],
      always: null,
      after: [],
      invoke: null,
      entry: [],
      exit: [],
    },
  }));

/** Counts, and the events seen: what two runs of a machine are compared by. */
interface PlanContext {
  readonly count: number;
  readonly seen: readonly string[];
}

/** The machine that a plan stands for. `port` answers its invokes; it is called with the invoke's id. */
export function buildMachine(
  plan: MachinePlan,
  port: (invoke: string) => Promise<number>,
): AnyStateMachine {
  const ids: NodeId[] = [];
  number(plan.root, "n", ids);
  const config = {
    ...build(plan.root, "n", ids),
    id: "n",
    options: { maxIterations: 40 },
    context: { count: 0, seen: [] } satisfies PlanContext,
    output: ({ context }: { context: PlanContext }) => context.count,
  };
  return createMachine(config as never, {
    actors: {
      port: fromPromise<number, { invoke: string }>(({ input }) => port(input.invoke)),
    },
  } as never);
}

/** Only nodes that may stand below their parent: a plan is cut down to a legal machine here. */
function legal(plan: NodePlan): readonly NodePlan[] {
  if (plan.kind !== "compound" && plan.kind !== "parallel") return [];
  const real = plan.children.filter((child) => !isHistory(child));
  if (real.length === 0) return [];
  if (plan.kind === "parallel") return real.filter((child) => child.kind !== "final");
  return plan.children[0] === real[0]
    ? plan.children
    : [...real, ...plan.children.filter(isHistory)];
}

function isHistory(plan: NodePlan): boolean {
  return plan.kind === "shallow" || plan.kind === "deep";
}

interface NodeId {
  readonly id: string;
  readonly history: boolean;
}

function number(plan: NodePlan, id: string, ids: NodeId[]): void {
  legal(plan).forEach((child, index) => {
    const childId = `${id}_${index}`;
    ids.push({ id: childId, history: isHistory(child) });
    number(child, childId, ids);
  });
}

function build(plan: NodePlan, id: string, ids: readonly NodeId[]): Record<string, unknown> {
  const children = legal(plan);
  if (isHistory(plan)) return { id, type: "history", history: plan.kind };
  const states = Object.fromEntries(
    children.map((child, index) => [`s${index}`, build(child, `${id}_${index}`, ids)]),
  );
  const entry = plan.entry.map(buildAction);
  const exit = plan.exit.map(buildAction);
  if (plan.kind === "final") return { id, type: "final", entry, exit };
  const on: Record<string, unknown[]> = {};
  for (const [type, planned] of plan.on) (on[type] ??= []).push(buildEdge(planned, ids));
  return {
    id,
    ...(children.length === 0
      ? {}
      : plan.kind === "parallel"
      ? { type: "parallel", states }
      : { initial: "s0", states }),
    entry,
    exit,
    on,
    after: Object.fromEntries(plan.after.map(([ms, planned]) => [ms, buildEdge(planned, ids)])),
    ...(plan.always === null ? {} : { always: buildEdge(plan.always, ids) }),
    ...(plan.invoke === null ? {} : {
      invoke: {
        src: "port",
        id: `job_${id}`,
        input: { invoke: `job_${id}` },
        onDone: buildEdge(plan.invoke.done, ids),
        ...(plan.invoke.error === null ? {} : { onError: buildEdge(plan.invoke.error, ids) }),
      },
    }),
  };
}

function buildEdge(plan: EdgePlan, ids: readonly NodeId[]): Record<string, unknown> {
  const target = plan.target < 0 ? undefined : ids[plan.target % ids.length];
  return {
    // Without `reenter` xstate enters what a history node stands for again without having left it,
    // and its invokes then live twice (the trap L5), which the engine does not do.
    ...(target === undefined
      ? {}
      : { target: `#${target.id}`, reenter: plan.reenter || target.history }),
    ...(plan.modulus === 0 ? {} : {
      guard: ({ context }: { context: PlanContext }) =>
        context.count % plan.modulus === plan.rest % plan.modulus,
    }),
    actions: plan.actions.map(buildAction),
  };
}

function buildAction(plan: ActionPlan): unknown {
  type Args = { readonly context: PlanContext; readonly event: { readonly type: string } };
  switch (plan.do) {
    case "add":
      return assign({ count: ({ context }: Args) => (context.count + plan.by) % 60 } as never);
    case "raise":
      return raise({ type: plan.event });
    case "delay":
      return raise({ type: plan.event }, { id: plan.id, delay: plan.ms });
    case "cancel":
      return cancel(plan.id);
    case "emit":
      return emit({ type: "SAID", n: plan.n } as never);
    case "remember":
      return assign(
        { seen: ({ context, event }: Args) => [...context.seen, event.type].slice(-4) } as never,
      );
    case "enqueue":
      return enqueueActions(({ enqueue, check, context }) => {
        const { count } = context as unknown as PlanContext;
        if (check(() => count % 2 === 0)) {
          enqueue.assign({ count: (count + plan.by) % 60 } as never);
        }
        enqueue.emit({ type: "SAID", n: plan.by } as never);
      });
  }
}
