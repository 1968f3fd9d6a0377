import { createHash } from "node:crypto";
import type { AnyStateMachine, AnyStateNode } from "xstate";
import { refuseUnsupported } from "./refuse-unsupported.ts";
import { inertLogic, InertScope } from "./scope.ts";

/** A registered machine, checked and ready to be stepped. */
export interface Logic {
  /** The name that actors are stored under. */
  readonly name: string;
  /** The hash of the definition. */
  readonly hash: string;
  /** JSON text of the definition. */
  readonly definition: string;
  /** The machine as it was registered: ports and actions are run from here. */
  readonly machine: AnyStateMachine;
  /** The same machine with inert ports: stepping it runs no port's code. */
  readonly stepped: AnyStateMachine;
  /** The ids of all its invokes. */
  readonly invokeIds: ReadonlySet<string>;
  /** What it is stepped with. */
  readonly scope: InertScope;
}

/** Options of {@link defineLogic}. */
export interface LogicOptions {
  /**
   * The name that actors are stored under.
   * @default the machine's id
   */
  readonly name?: string;
  /**
   * Told apart from earlier definitions of the same name even where the structure is the same, as
   * when only the body of a guard changed.
   * @default the machine's `version`, or none
   */
  readonly version?: string;
}

/**
 * Checks that a machine can run durably, and describes it.
 *
 * The hash covers the name and the structure: states, transitions, names of guards, actions, ports and delays. It
 * does not cover function bodies, which differ between a source file and its bundle: give a `version`
 * where a changed body should count as another machine.
 *
 * @throws {SidecanaryError} `machine-refused`, naming the node and what the engine does not run
 */
export function defineLogic(machine: AnyStateMachine, options: LogicOptions = {}): Logic {
  const name = options.name ?? machine.id;
  refuseUnsupported(machine, name);
  const version = options.version ?? machine.version ?? null;
  const definition = JSON.stringify(
    { name, version, machine: machine.definition },
    describeFunctions,
  );
  const hash = createHash("sha256").update(definition).digest("hex").slice(0, 32);
  return {
    name,
    hash,
    definition,
    machine,
    stepped: withInertPorts(machine),
    invokeIds: new Set(invokeIdsOf(machine.root)),
    scope: new InertScope(machine),
  };
}

function withInertPorts(machine: AnyStateMachine): AnyStateMachine {
  const actors = Object.fromEntries(
    Object.keys(machine.implementations.actors).map((src) => [src, inertLogic]),
  );
  return machine.provide({ actors } as never);
}

function invokeIdsOf(node: AnyStateNode): string[] {
  return [
    ...node.invoke.map((invoke) => invoke.id),
    ...Object.values(node.states).flatMap(invokeIdsOf),
  ];
}

function describeFunctions(_key: string, value: unknown): unknown {
  if (typeof value !== "function") return value;
  const { type } = value as { readonly type?: unknown };
  return { function: typeof type === "string" ? type : "inline" };
}
