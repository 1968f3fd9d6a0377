import type { AnyStateMachine, AnyStateNode } from "xstate";
import { SidecanaryError } from "../errors.ts";
import { plainJson } from "../plain-json.ts";

/**
 * Refuses a machine that would not mean the same after a restart. What only shows while it runs (a
 * spawn inside `assign`, a function put into the context later) is refused by the step instead.
 *
 * @throws {SidecanaryError} `machine-refused`, with the path of the state node
 */
export function refuseUnsupported(machine: AnyStateMachine, name: string): void {
  const refuse: Refuse = (node, feature, advice) => {
    throw new SidecanaryError(
      "machine-refused",
      `Cannot run machine "${name}" durably: state "${pathOf(node)}" uses ${feature}. ${advice}`,
      { machine: name, node: pathOf(node), feature },
    );
  };
  const limit = machine.options.maxIterations ?? Infinity;
  if (!(Number.isFinite(limit) && limit > 0)) {
    refuse(
      machine.root,
      "no iteration limit",
      "Set `options: { maxIterations: 100 }` in its config",
    );
  }
  refuseContext(machine, refuse);
  walk(machine.root, (node) => {
    refuseInvokes(machine, node, refuse);
    refuseDelays(machine, node, refuse);
    refuseRoutes(node, refuse);
    for (const action of [...node.entry, ...node.exit]) {
      refuseAction(machine, node, action, refuse);
    }
    for (const transition of transitionsOf(node)) {
      refuseGuard(machine, node, transition.guard, refuse);
      for (const action of transition.actions) refuseAction(machine, node, action, refuse);
    }
  });
}

type Refuse = (node: AnyStateNode, feature: string, advice: string) => never;

/** Built-in actions that reach a child or a log, which a stepped machine does not have. */
const refusedBuiltins = new Map<string, string>([
  ["xstate.spawnChild", "spawnChild()"],
  ["xstate.stopChild", "stopChild()"],
  ["xstate.sendTo", "sendTo() or sendParent()"],
  ["xstate.log", "log()"],
]);

function pathOf(node: AnyStateNode): string {
  return [node.machine.id, ...node.path].join(".");
}

function walk(node: AnyStateNode, visit: (node: AnyStateNode) => void): void {
  visit(node);
  for (const child of Object.values(node.states)) walk(child, visit);
}

interface AnyTransition {
  readonly guard?: unknown;
  readonly actions: readonly unknown[];
}

function transitionsOf(node: AnyStateNode): AnyTransition[] {
  const initial = node.config.initial === undefined ? [] : [node.initial];
  return [...node.transitions.values(), node.always ?? [], initial].flat() as AnyTransition[];
}

function refuseContext(machine: AnyStateMachine, refuse: Refuse): void {
  const { context } = machine.config as { readonly context?: unknown };
  if (context === undefined || typeof context === "function") return;
  try {
    plainJson(context, `context of "${machine.id}"`);
  } catch (error) {
    refuse(
      machine.root,
      `context that is not plain data (${(error as Error).message})`,
      "Keep ids and plain data there; handles belong to ports",
    );
  }
}

function refuseInvokes(machine: AnyStateMachine, node: AnyStateNode, refuse: Refuse): void {
  for (const invoke of node.invoke) {
    const { src, systemId } = invoke as { readonly src: unknown; readonly systemId?: string };
    if (typeof src !== "string" || src.startsWith("xstate.invoke.")) {
      refuse(node, "an inline invoke", "Name the port in setup({ actors }) and invoke it by name");
    }
    const logic = machine.implementations.actors[src as string] as unknown;
    if (logic === undefined) {
      refuse(node, `the port "${src}", which is not provided`, "Provide it before registering");
    }
    if (typeof logic === "object" && logic !== null && "__xstatenode" in logic) {
      refuse(
        node,
        `the machine "${src}" as a child`,
        "Register it as an actor of its own and reach it by the action `tell`",
      );
    }
    if ((invoke as { readonly onSnapshot?: unknown }).onSnapshot !== undefined) {
      refuse(node, `onSnapshot of "${src}"`, "Let a callback port send events instead");
    }
    if (systemId !== undefined) {
      refuse(node, `the systemId "${systemId}"`, "Reach actors by their id, by the action `tell`");
    }
  }
}

function refuseDelays(machine: AnyStateMachine, node: AnyStateNode, refuse: Refuse): void {
  for (const delay of Object.keys(node.config.after ?? {})) {
    refuseDelay(machine, node, Number.isNaN(Number(delay)) ? delay : Number(delay), refuse);
  }
}

function refuseDelay(
  machine: AnyStateMachine,
  node: AnyStateNode,
  delay: unknown,
  refuse: Refuse,
): void {
  if (typeof delay === "string" && !(delay in machine.implementations.delays)) {
    refuse(
      node,
      `the delay "${delay}", which is not provided`,
      "xstate would take it for no delay at all: name it in setup({ delays })",
    );
  }
}

function refuseRoutes(node: AnyStateNode, refuse: Refuse): void {
  if ((node.config as { readonly route?: unknown }).route !== undefined) {
    refuse(node, "a route", "Use an event of its own: xstate.* events are not taken from outside");
  }
}

function refuseAction(
  machine: AnyStateMachine,
  node: AnyStateNode,
  action: unknown,
  refuse: Refuse,
): void {
  if (typeof action === "function" && !("resolve" in action)) {
    refuse(
      node,
      `the inline action ${action.name === "" ? "(anonymous)" : `"${action.name}"`}`,
      "Name it in setup({ actions }): an effect is kept by its name and params",
    );
  }
  const implementation = typeof action === "function" ? action : namedAction(machine, action);
  const { type, delay } = (implementation ?? {}) as {
    readonly type?: string;
    readonly delay?: unknown;
  };
  const builtin = refusedBuiltins.get(type ?? "");
  if (builtin !== undefined && typeof implementation === "function") {
    refuse(
      node,
      builtin,
      "Reach other actors by the action `tell`; log from a named action or a port",
    );
  }
  if (type === "xstate.raise") refuseDelay(machine, node, delay, refuse);
}

function namedAction(machine: AnyStateMachine, action: unknown): unknown {
  const type = typeof action === "string" ? action : (action as { readonly type: string }).type;
  return machine.implementations.actions[type];
}

function refuseGuard(
  machine: AnyStateMachine,
  node: AnyStateNode,
  guard: unknown,
  refuse: Refuse,
): void {
  if (guard === undefined || guard === null) return;
  if (typeof guard === "function") {
    const { guards } = guard as { readonly guards?: readonly unknown[] };
    for (const inner of guards ?? []) refuseGuard(machine, node, inner, refuse);
    return;
  }
  const type = typeof guard === "string" ? guard : (guard as { readonly type: string }).type;
  const implementation = machine.implementations.guards[type] as unknown;
  if (implementation === undefined) {
    refuse(node, `the guard "${type}", which is not provided`, "Name it in setup({ guards })");
  }
  if (implementation !== guard) refuseGuard(machine, node, implementation, refuse);
}
