import process from "node:process";
import { type Clock, systemClock } from "../../clock.ts";
import { unlessAborted } from "../../unless-aborted.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { parseHostName } from "../host-name.ts";
import type { HostProvider, HostRef, HostSpec } from "../host-provider.ts";
import { type ApiAnswer, ContainerApi } from "./container-api.ts";
import { containerEndpoints, type Environment } from "./container-endpoint.ts";
import { field } from "./container-exec.ts";
import { ContainerHost } from "./container-host.ts";
import { inspectContainer, stateFault } from "./container-state.ts";
import { findService } from "./find-service.ts";
import { hasImage, pullImage, type PullProgress } from "./pull-image.ts";

/** How containers are made. */
export interface ContainerHostsOptions {
  /** As `docker run` takes it. It has `sh`, `sleep` and `git`. */
  readonly image: string;
  /**
   * The service, as `DOCKER_HOST` is written, or the path of its socket.
   * @default `$DOCKER_HOST`, else the chosen docker context, else the first that answers of the sockets of Docker and Podman
   */
  readonly socket?: string;
  /**
   * Where the service is looked up from: `DOCKER_HOST`, `DOCKER_CONTEXT`, `DOCKER_CONFIG`,
   * `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`, `XDG_RUNTIME_DIR`, `HOME`.
   * @default the environment of this process
   */
  readonly env?: Environment;
  /**
   * `none`, or the name of a network.
   * @default the service's own, which reaches the outside
   */
  readonly network?: string;
  /** In bytes, without any swap beside. @default no limit */
  readonly memory?: number;
  /** A number of processors, fractions allowed. @default no limit */
  readonly cpus?: number;
  /** How many processes a container may have. @default 4096 */
  readonly pids?: number;
  /** Further labels of the containers. @default {} */
  readonly labels?: Readonly<Record<string, string>>;
  /** @default the system's */
  readonly clock?: Clock;
  /** Told while a missing image is downloaded. @default nobody */
  readonly onPull?: (progress: PullProgress) => void;
}

const OWNER = "sidecanary.owner";

// The shell is the container's init: where it waits it reaps whatever was orphaned.
const INIT = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

// What package managers and test suites run as root need. The rest of what Docker grants (raw
// sockets, device nodes, chroot) is left out.
const CAPABILITIES = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
];

/**
 * Hosts that are containers, by the Docker Engine API of Docker or Podman. They are made without
 * privileges: no more capabilities than package managers need, no way to new ones, a limit to the
 * number of processes, no mount of the machine's.
 *
 * @throws RangeError for a limit that is none
 */
export function createContainerHosts(options: ContainerHostsOptions): HostProvider {
  return new ContainerHosts(options);
}

class ContainerHosts implements HostProvider {
  readonly kind = "docker";
  readonly capacity = null;
  readonly disposable = true;
  readonly #options: ContainerHostsOptions;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  #api: ContainerApi | undefined;
  #pull: Promise<void> | undefined;

  constructor(options: ContainerHostsOptions) {
    const { memory, cpus, pids } = options;
    for (const [name, limit] of Object.entries({ memory, cpus, pids })) {
      if (limit !== undefined && !(limit > 0 && Number.isFinite(limit))) {
        throw new RangeError(`${name} of a container is more than nothing, not ${limit}`);
      }
    }
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  describe(): string {
    const at = this.#api === undefined ? "" : ` at ${this.#api.service}`;
    return `containers of ${this.#options.image}${at}`;
  }

  async find(name: string, signal: AbortSignal): Promise<HostRef | undefined> {
    const api = await this.#service(signal);
    const state = await inspectContainer(api, name, signal);
    // The service also takes the beginning of an id for a name.
    return state?.name === name ? { id: state.id, name } : undefined;
  }

  async create(spec: HostSpec, signal: AbortSignal): Promise<HostRef> {
    const body = this.#body(spec);
    const api = await this.#service(signal);
    let answer = await this.#post(api, spec.name, body);
    signal.throwIfAborted();
    if (answer.status === 404 && !(await hasImage(api, this.#options.image, signal))) {
      await this.#pulled(api, signal);
      answer = await this.#post(api, spec.name, body);
    }
    const id = answer.status === 201 ? field(answer.body, "Id") : undefined;
    // A name that is taken: an earlier call made it, and its answer was lost. Docker says 409,
    // Podman 500.
    const ref = typeof id === "string"
      ? { id, name: spec.name }
      : await this.find(spec.name, signal);
    if (ref === undefined) throw api.unexpected(`creating container ${spec.name}`, answer);
    await this.#start(api, ref, signal);
    return ref;
  }

  async connect(ref: HostRef, signal: AbortSignal): Promise<Host> {
    const api = await this.#service(signal);
    let state = await inspectContainer(api, ref.id, signal);
    // Only the answer to its creation came, or was lost before it was started.
    if (state?.status === "created" || state?.status === "configured") {
      await this.#start(api, ref, signal);
      state = await inspectContainer(api, ref.id, signal);
    }
    const fault = stateFault(ref.name, state);
    if (fault !== undefined) throw fault;
    const host = new ContainerHost(api, ref.id, ref.name, this.#clock);
    try {
      await this.#requireTools(host, signal);
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  async list(signal: AbortSignal): Promise<readonly HostRef[]> {
    const during = "listing containers";
    const api = await this.#service(signal);
    const query = { all: "true", filters: JSON.stringify({ label: [OWNER] }) };
    const answer = await api.call({
      method: "GET",
      path: "/containers/json",
      query,
      during,
      signal,
    });
    if (answer.status !== 200 || !Array.isArray(answer.body)) throw api.unexpected(during, answer);
    const refs: HostRef[] = [];
    for (const entry of answer.body as readonly unknown[]) {
      const id = field(entry, "Id");
      const names = field(entry, "Names");
      const first: unknown = Array.isArray(names) ? names[0] : undefined;
      if (typeof id !== "string" || typeof first !== "string") throw api.unexpected(during, answer);
      const name = first.replace(/^\//, "");
      if (parseHostName(name) !== undefined) refs.push({ id, name });
    }
    return refs;
  }

  async destroy(ref: HostRef, signal: AbortSignal): Promise<void> {
    const during = `removing container ${ref.name}`;
    const api = await this.#service(signal);
    const query = { force: "true", v: "true" };
    const path = `/containers/${encodeURIComponent(ref.id)}`;
    const answer = await api.call({ method: "DELETE", path, query, during, signal });
    if ([200, 204, 404].includes(answer.status)) return;
    // 409 of Docker, 500 of Podman: somebody else is removing it at this moment.
    if ((await inspectContainer(api, ref.id, signal)) === undefined) return;
    throw api.unexpected(during, answer);
  }

  close(): Promise<void> {
    this.#closed.abort(new Error("the provider of containers was closed"));
    return Promise.resolve();
  }

  async #service(signal: AbortSignal): Promise<ContainerApi> {
    if (this.#api === undefined) {
      const { socket, env = process.env } = this.#options;
      const endpoints = await containerEndpoints(socket, env);
      this.#api = await findService(endpoints, this.#clock, signal);
    }
    return this.#api;
  }

  /** Not given up when its caller is: a container may come up after nobody has found it by name. */
  #post(api: ContainerApi, name: string, body: unknown): Promise<ApiAnswer> {
    const { signal } = new AbortController();
    const during = `creating container ${name}`;
    return api.call({
      method: "POST",
      path: "/containers/create",
      query: { name },
      body,
      during,
      signal,
    });
  }

  #body({ name, expiresAt }: HostSpec): unknown {
    const parts = parseHostName(name);
    if (parts === undefined) throw new RangeError(`"${name}" is no name for a host`);
    const { image, network, memory, cpus, pids = 4096, labels = {} } = this.#options;
    return {
      Image: image,
      Entrypoint: ["sh", "-c", INIT],
      Cmd: [],
      Labels: {
        ...labels,
        [OWNER]: parts.owner,
        "sidecanary.run": parts.run,
        "sidecanary.expires": String(expiresAt),
      },
      HostConfig: {
        CapDrop: ["ALL"],
        CapAdd: CAPABILITIES,
        SecurityOpt: ["no-new-privileges"],
        PidsLimit: pids,
        ...(network === undefined ? {} : { NetworkMode: network }),
        ...(memory === undefined ? {} : { Memory: memory, MemorySwap: memory }),
        ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
      },
    };
  }

  async #start(api: ContainerApi, ref: HostRef, signal: AbortSignal): Promise<void> {
    const during = `starting container ${ref.name}`;
    const path = `/containers/${encodeURIComponent(ref.id)}/start`;
    const answer = await api.call({ method: "POST", path, during, signal });
    if (answer.status === 204 || answer.status === 304) return;
    const cause = api.unexpected(during, answer);
    await this.destroy(ref, signal);
    throw hostFailed(
      `${cause.message}. Has image ${this.#options.image} sh and sleep?`,
      { host: ref.name, fault: "sandbox-refused", kind: "never", detail: answer.status },
      cause,
    );
  }

  /** One download at a time, for everybody who waits for it. */
  async #pulled(api: ContainerApi, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { image, onPull = () => {} } = this.#options;
    this.#pull ??= pullImage(api, image, onPull, this.#closed.signal)
      .finally(() => this.#pull = undefined);
    await unlessAborted(this.#pull, signal);
  }

  async #requireTools(host: Host, signal: AbortSignal): Promise<void> {
    const missing = (tool: string, detail: number) =>
      hostFailed(
        `Image ${this.#options.image} has no ${tool}; use an image that has sh and git`,
        { host: host.name, fault: "missing-tools", kind: "never", detail },
      );
    const exit = await host.exec({ command: "command -v git >/dev/null || exit 3", signal });
    if (exit.kind === "exit" && exit.code === 0) return;
    const code = exit.kind === "exit" ? exit.code : -1;
    throw missing(code === 3 ? "git" : "sh", code);
  }
}
