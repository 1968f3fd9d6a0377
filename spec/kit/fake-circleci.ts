import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** An operation of the API. */
export type FakeEndpoint =
  | "list"
  | "create"
  | "delete"
  | "add-key"
  | "snapshot-create"
  | "snapshot-get"
  | "snapshot-list"
  | "me"
  | "collaborations";

/** What the fake does with one request in place of answering it well. */
export interface FakeBehaviour {
  /** Waited for before anything is done. */
  readonly until?: Promise<unknown>;
  /**
   * How often the work is done: 0 for a refused request, 2 for one that a proxy has sent twice.
   * @default 1, and 0 with a `status`
   */
  readonly times?: number;
  /**
   * `drop` closes the connection, `cut` within the answer, `hang` never answers.
   * @default "answer"
   */
  readonly reply?: "answer" | "drop" | "cut" | "hang";
  /** @default the operation's own */
  readonly status?: number;
  /** A text as it is, anything else as JSON. @default the operation's own */
  readonly body?: unknown;
  /** @default {} */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that the fake has got. */
export interface FakeRequest {
  readonly endpoint: FakeEndpoint | undefined;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly json: unknown;
}

/** A sidecar of the fake. */
export interface FakeInstance {
  readonly id: string;
  readonly name: string;
  readonly org: string;
  readonly image?: string;
  /** Made by the caller; only `all=true` lists the others. */
  readonly own: boolean;
  /** Public keys that were added: lines. */
  readonly keys: string[];
}

/** A snapshot of the fake. */
export interface FakeSnapshot {
  readonly id: string;
  readonly name: string;
  readonly org: string;
  readonly source: string;
}

/** How the fake is made. */
export interface FakeCircleciOptions {
  /** @default one */
  readonly collaborations?: readonly {
    readonly id: string;
    readonly name: string;
    readonly slug: string;
  }[];
  /** Ids of snapshots that sidecars can be made from. @default every one */
  readonly images?: readonly string[];
  /**
   * The address of a sidecar's tunnel.
   * @default "https://8000-<id>.invalid"
   */
  readonly tunnelOf?: (instance: FakeInstance) => Promise<string> | string;
  /** Told when a sidecar is deleted. @default nobody is told */
  readonly onDelete?: (instance: FakeInstance) => void;
  /** A `host_key` that a sidecar has, as our own hosts tell it. @default none */
  readonly hostKeyOf?: (instance: FakeInstance) => string | undefined;
}

/** A running {@link fakeCircleci}. */
export interface FakeCircleci {
  readonly url: string;
  readonly token: string;
  readonly org: string;
  readonly instances: Map<string, FakeInstance>;
  readonly snapshots: Map<string, FakeSnapshot>;
  /** All requests in the order of their arrival. */
  readonly requests: readonly FakeRequest[];
  /** How often an operation was asked for. */
  count(endpoint: FakeEndpoint): number;
  /** What happens to the next requests of an operation, one each; afterwards all is well again. */
  next(endpoint: FakeEndpoint, ...behaviours: FakeBehaviour[]): void;
  /** Takes back what was to happen to an operation. */
  calm(endpoint: FakeEndpoint): void;
  /** What happens to all further requests of an operation. */
  always(endpoint: FakeEndpoint, behaviour: FakeBehaviour): void;
  /** Resolves when the operation has been asked for that many times. */
  seen(endpoint: FakeEndpoint, times?: number): Promise<void>;
  /** Puts a sidecar there as if it had been created. */
  put(instance: { readonly name: string } & Partial<FakeInstance>): FakeInstance;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const ORG = "0aa12b5e-9f6c-4a51-8a54-0d0e6b1f2f30";
const COLLABORATION = { id: ORG, name: "Acme", slug: "gh/acme" };
const NOT_FOUND = { status: 404, body: { error: { id: "trace", title: "not found" } } };

/**
 * A FAKE of CircleCI's sidecar API, by what is known of it from outside: the real one costs money and
 * needs an account. It cannot show that CircleCI behaves like this.
 */
export async function fakeCircleci(options: FakeCircleciOptions = {}): Promise<FakeCircleci> {
  const fake = new Fake(options);
  await fake.listen();
  return fake;
}

class Fake implements FakeCircleci {
  readonly token = "fake-token-0123456789";
  readonly org = ORG;
  readonly instances = new Map<string, FakeInstance>();
  readonly snapshots = new Map<string, FakeSnapshot>();
  readonly requests: FakeRequest[] = [];
  readonly #options: FakeCircleciOptions;
  readonly #next = new Map<FakeEndpoint, FakeBehaviour[]>();
  readonly #always = new Map<FakeEndpoint, FakeBehaviour>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #waiters = new Set<() => void>();
  #lastId = 0;

  constructor(options: FakeCircleciOptions) {
    this.#options = options;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  count(endpoint: FakeEndpoint): number {
    return this.requests.filter((request) => request.endpoint === endpoint).length;
  }

  next(endpoint: FakeEndpoint, ...behaviours: FakeBehaviour[]): void {
    this.#next.set(endpoint, [...this.#next.get(endpoint) ?? [], ...behaviours]);
  }

  calm(endpoint: FakeEndpoint): void {
    this.#next.delete(endpoint);
    this.#always.delete(endpoint);
  }

  always(endpoint: FakeEndpoint, behaviour: FakeBehaviour): void {
    this.#always.set(endpoint, behaviour);
  }

  seen(endpoint: FakeEndpoint, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.count(endpoint) < times) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }

  put({ name, ...rest }: { readonly name: string } & Partial<FakeInstance>): FakeInstance {
    const instance = { id: this.#id("sc"), name, org: ORG, own: true, keys: [], ...rest };
    this.instances.set(instance.id, instance);
    return instance;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    const route = routeOf(request.method ?? "", pathname);
    const got: FakeRequest = {
      endpoint: route?.endpoint,
      method: request.method ?? "",
      path: pathname,
      query: searchParams,
      headers: request.headers,
      json: text === "" ? undefined : JSON.parse(text) as unknown,
    };
    const behaviour = this.#behaviour(route?.endpoint);
    this.requests.push(got);
    for (const look of this.#waiters) look();
    await behaviour.until;
    let answer: Answer = behaviour.status === undefined ? NOT_FOUND : { status: behaviour.status };
    const times = behaviour.times ?? (behaviour.status === undefined ? 1 : 0);
    for (let time = 0; time < times; time++) {
      const done = await this.#work(got, route?.id);
      answer = { ...done, ...behaviour.status === undefined ? {} : { status: behaviour.status } };
    }
    reply(response, answer, behaviour);
  }

  #behaviour(endpoint: FakeEndpoint | undefined): FakeBehaviour {
    if (endpoint === undefined) return {};
    return this.#next.get(endpoint)?.shift() ?? this.#always.get(endpoint) ?? {};
  }

  async #work(request: FakeRequest, id = ""): Promise<Answer> {
    if (request.headers["circle-token"] !== this.token) {
      return { status: 401, body: { message: "You must log in first." } };
    }
    switch (request.endpoint) {
      case "list":
        return this.#list(request.query);
      case "create":
        return this.#create(request.json as CreateBody);
      case "delete": {
        const instance = this.instances.get(id);
        if (instance === undefined) return NOT_FOUND;
        this.instances.delete(id);
        this.#options.onDelete?.(instance);
        return { status: 204 };
      }
      case "add-key":
        return await this.#addKey(id, request.json as { public_key: string });
      case "snapshot-create":
        return this.#snapshot(request.json as SnapshotBody);
      case "snapshot-get": {
        const snapshot = this.snapshots.get(id);
        return snapshot === undefined
          ? NOT_FOUND
          : { status: 200, body: { data: snapshotBody(snapshot) } };
      }
      case "snapshot-list": {
        const mine = [...this.snapshots.values()]
          .filter(({ org }) => org === request.query.get("org_id"));
        return { status: 200, body: { data: mine.map(snapshotBody) } };
      }
      case "me":
        return { status: 200, body: { id: "me-1", login: "jo", name: "Jo" } };
      case "collaborations":
        // The real one writes vcs-type, and chunk reads vcs_type.
        return {
          status: 200,
          body: (this.#options.collaborations ?? [COLLABORATION])
            .map((each) => ({ ...each, "vcs-type": "github" })),
        };
      default:
        return { status: 404, body: { message: "Route Not Found" } };
    }
  }

  #list(query: URLSearchParams): Answer {
    const org = query.get("org_id"), all = query.get("all") === "true";
    const data = [...this.instances.values()]
      .filter((instance) => instance.org === org && (all || instance.own))
      .map((instance) => this.#instanceBody(instance));
    return { status: 200, body: { data } };
  }

  #create({ data: { attributes: { name, image }, references } }: CreateBody): Answer {
    const { images } = this.#options;
    if (image !== undefined && images !== undefined && !images.includes(image)) {
      return { status: 400, body: { error: `snapshot ${image} does not exist` } };
    }
    const instance = this.put({
      name,
      org: references.org.id,
      ...(image === undefined ? {} : { image }),
    });
    return { status: 201, body: { data: this.#instanceBody(instance) } };
  }

  async #addKey(id: string, body: { public_key: string }): Promise<Answer> {
    const instance = this.instances.get(id);
    if (instance === undefined) return NOT_FOUND;
    if (!instance.keys.includes(body.public_key)) instance.keys.push(body.public_key);
    const url = await this.#options.tunnelOf?.(instance) ?? `https://8000-${id}.invalid`;
    return { status: 200, body: { data: { id, attributes: { url } } } };
  }

  #snapshot({ data: { attributes: { name }, references } }: SnapshotBody): Answer {
    const source = this.instances.get(references.sidecar_instance.id);
    if (source === undefined) return NOT_FOUND;
    const snapshot = { id: this.#id("snap"), name, org: source.org, source: source.id };
    this.snapshots.set(snapshot.id, snapshot);
    return { status: 201, body: { data: snapshotBody(snapshot) } };
  }

  #instanceBody(instance: FakeInstance): unknown {
    const { id, name, image, org } = instance;
    const hostKey = this.#options.hostKeyOf?.(instance);
    return {
      id,
      type: "sidecar_instance",
      attributes: { name, image, host_key: hostKey },
      references: { org: { id: org }, user: { id: "me-1" } },
    };
  }

  #id(prefix: string): string {
    return `${prefix}-${(++this.#lastId).toString().padStart(4, "0")}`;
  }
}

interface CreateBody {
  readonly data: {
    readonly attributes: { readonly name: string; readonly image?: string };
    readonly references: { readonly org: { readonly id: string } };
  };
}

interface SnapshotBody {
  readonly data: {
    readonly attributes: { readonly name: string };
    readonly references: { readonly sidecar_instance: { readonly id: string } };
  };
}

const ROUTES: readonly (readonly [FakeEndpoint, string, RegExp])[] = [
  ["list", "GET", /^\/api\/v3\/sidecar\/instances$/],
  ["create", "POST", /^\/api\/v3\/sidecar\/instances$/],
  ["delete", "DELETE", /^\/api\/v3\/sidecar\/instances\/([^/]+)$/],
  ["add-key", "POST", /^\/api\/v3\/sidecar\/instances\/([^/]+)\/ssh\/add-key$/],
  ["snapshot-create", "POST", /^\/api\/v3\/sidecar\/snapshots$/],
  ["snapshot-list", "GET", /^\/api\/v3\/sidecar\/snapshots$/],
  ["snapshot-get", "GET", /^\/api\/v3\/sidecar\/snapshots\/([^/]+)$/],
  ["me", "GET", /^\/api\/v2\/me$/],
  ["collaborations", "GET", /^\/api\/v2\/me\/collaborations$/],
];

function routeOf(
  method: string,
  path: string,
): { readonly endpoint: FakeEndpoint; readonly id?: string } | undefined {
  for (const [endpoint, verb, pattern] of ROUTES) {
    const match = verb === method ? pattern.exec(path) : null;
    if (match === null) continue;
    const [, id] = match;
    return id === undefined ? { endpoint } : { endpoint, id: decodeURIComponent(id) };
  }
  return undefined;
}

function reply(response: ServerResponse, answer: Answer, behaviour: FakeBehaviour): void {
  const { reply: how = "answer", body = answer.body, headers = {} } = behaviour;
  if (how === "hang") return;
  if (how === "drop") return void response.socket?.destroy();
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(answer.status, { "Content-Type": "application/json", ...headers });
  if (how === "answer") return void response.end(text);
  response.write(text.slice(0, text.length / 2), () => response.socket?.destroy());
}

function snapshotBody({ id, name, org }: FakeSnapshot): unknown {
  return {
    id,
    attributes: { name, tag: "latest", is_system: false },
    references: { org: { id: org } },
  };
}
