import type { SidecanaryError } from "../../errors.ts";
import { hostFailed } from "../host-failed.ts";
import type { ContainerApi } from "./container-api.ts";
import { field } from "./container-exec.ts";

/** What a service knows about one container. */
export interface ContainerState {
  readonly id: string;
  readonly name: string;
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`; Podman: `stopped`. */
  readonly status: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

/**
 * Looks a container up.
 *
 * @param container its name or its id
 * @returns `undefined` where there is none
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function inspectContainer(
  api: ContainerApi,
  container: string,
  signal: AbortSignal,
): Promise<ContainerState | undefined> {
  const during = `looking at container ${container}`;
  const path = `/containers/${encodeURIComponent(container)}/json`;
  const answer = await api.call({ method: "GET", path, during, signal });
  if (answer.status === 404) return undefined;
  const id = field(answer.body, "Id");
  const name = field(answer.body, "Name");
  const state = field(answer.body, "State");
  const status = field(state, "Status");
  if (
    answer.status !== 200 || typeof id !== "string" || typeof name !== "string" ||
    typeof status !== "string"
  ) throw api.unexpected(during, answer);
  const code = field(state, "ExitCode");
  return {
    id,
    name: name.replace(/^\//, ""),
    status,
    exitCode: typeof code === "number" ? code : 0,
    oomKilled: field(state, "OOMKilled") === true,
  };
}

/** Why commands cannot be sent to a container; `undefined` where nothing stands against it. */
export function stateFault(
  name: string,
  state: ContainerState | undefined,
): SidecanaryError<"host-failed"> | undefined {
  if (state === undefined) {
    return hostFailed(`Container ${name} is gone: it was removed`, {
      host: name,
      fault: "gone",
      kind: "never",
    });
  }
  const { status, exitCode, oomKilled } = state;
  switch (status) {
    case "running":
      return undefined;
    case "paused":
      return hostFailed(`Container ${name} is paused; docker unpause ${name} lets it go on`, {
        host: name,
        fault: "paused",
        kind: "reconnect",
      });
    case "created":
    case "configured":
    case "initialized":
    case "restarting":
      return hostFailed(`Container ${name} does not run yet: it is ${status}`, {
        host: name,
        fault: "starting",
        kind: "while-booting",
        detail: status,
      });
    default: {
      const memory = oomKilled ? "; it ran out of memory" : "";
      return hostFailed(
        `Container ${name} is gone: it is ${status} with exit code ${exitCode}${memory}`,
        { host: name, fault: "gone", kind: "never", detail: oomKilled ? "OOMKilled" : exitCode },
      );
    }
  }
}
