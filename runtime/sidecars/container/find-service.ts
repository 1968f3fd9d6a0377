import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import { hostFailed } from "../host-failed.ts";
import { ContainerApi } from "./container-api.ts";
import type { ContainerEndpoint } from "./container-endpoint.ts";

const PING_MS = 10_000;

/**
 * The first of some addresses where a container service answers.
 *
 * @throws SidecanaryError `host-failed` that says what was tried and what to start; the failure
 *   itself where there is one address only and something listens there
 * @throws the signal's reason when aborted
 */
export async function findService(
  endpoints: readonly ContainerEndpoint[],
  clock: Clock,
  signal: AbortSignal,
): Promise<ContainerApi> {
  const during = "looking for a container service";
  const failures: Error[] = [];
  const tried: string[] = [];
  for (const endpoint of endpoints) {
    const api = new ContainerApi(endpoint, clock);
    try {
      const path = "/_ping";
      const answer = await api.call({ method: "GET", path, during, signal, timeoutMs: PING_MS });
      if (answer.status === 200) return api;
      throw api.unexpected(during, answer);
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed")) throw error;
      const { fault, detail } = error.details;
      if (endpoints.length === 1 && fault !== "refused") throw error;
      failures.push(error);
      tried.push(`${endpoint.name} (${detail ?? fault})`);
    }
  }
  throw hostFailed(
    `No container service answers: tried ${tried.join(", ")}. Start Docker (sudo systemctl start ` +
      "docker) or Podman (systemctl --user start podman.socket), or set DOCKER_HOST to where one " +
      "listens",
    { host: "docker", fault: "refused", kind: "never" },
    failures.length === 1 ? failures[0] : new AggregateError(failures),
  );
}
