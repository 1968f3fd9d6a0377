import type { SupervisedChild, SupervisorInput } from "../../machines/supervisor/events.ts";
import { supervisorMachine } from "../../machines/supervisor/machine.ts";
import type { Json } from "../json.ts";
import type { StartDelivery, TransactAnswer } from "./answer.ts";
import type { Engine } from "./engine.ts";

/** A child that runs a machine. */
export interface ChildSpec extends Omit<SupervisedChild, "kind"> {
  /** The machine's registered name. */
  readonly machine: string;
  /**
   * The machine's input.
   * @default null
   */
  readonly input?: Json;
}

/** A supervisor and its children; supervisors can be children of supervisors. */
export interface SuperviseSpec
  extends Omit<SupervisorInput, "children" | "childrenRun">, Pick<SupervisedChild, "restart"> {
  /** In the order of their start. */
  readonly children: readonly (ChildSpec | SuperviseSpec)[];
}

/**
 * Starts a supervisor and everything below it: all or nothing. Asked again, it answers `duplicate`.
 * The supervisor's machine is registered where it is not yet.
 *
 * @example
 * await supervise(engine, {
 *   id: "pool",
 *   strategy: "rest_for_one",
 *   intensity: 3,
 *   periodMs: 60_000,
 *   children: [{ id: "lease", machine: "lease" }, { id: "worker", machine: "worker" }],
 * });
 */
export async function supervise(engine: Engine, spec: SuperviseSpec): Promise<TransactAnswer> {
  const { name } = engine.register(supervisorMachine);
  return await engine.transact(startsOf(spec, name, null));
}

function startsOf(
  spec: SuperviseSpec,
  machine: string,
  supervisor: string | null,
): StartDelivery[] {
  const { children, restart: _restart, ...rest } = spec;
  const input = { ...rest, children: children.map(asChild) };
  return [
    {
      actor: spec.id,
      machine,
      supervisor,
      input: { ...input, childrenRun: true } as unknown as Json,
      // Begun again after its children were stopped, it has to run them itself.
      restartInput: { ...input, childrenRun: false } as unknown as Json,
    },
    ...children.flatMap((child) =>
      "machine" in child
        ? [{
          actor: child.id,
          machine: child.machine,
          supervisor: spec.id,
          input: child.input ?? null,
        }]
        : startsOf(child, machine, spec.id)
    ),
  ];
}

function asChild(child: ChildSpec | SuperviseSpec): SupervisedChild {
  const { id } = child;
  const restart = child.restart === undefined ? {} : { restart: child.restart };
  if (!("machine" in child)) return { id, kind: "supervisor", ...restart };
  return { id, ...restart, ...(child.mode === undefined ? {} : { mode: child.mode }) };
}
