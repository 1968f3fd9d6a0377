import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ADD_KEY_BODY, CREATE_BODY } from "./api-bodies.ts";
import { HttpProblem, tooMany } from "./http-problem.ts";
import type { Instance } from "./instance.ts";
import type { Instances } from "./instances.ts";
import { parsePublicKey } from "./public-key.ts";
import { readBody } from "./read-body.ts";
import { matchRoute, type RouteMatch } from "./routes.ts";
import type { ServeEvent } from "./serve-event.ts";
import type { ServeLimits } from "./serve-limits.ts";
import type { TokenDesk } from "./tokens.ts";

/** What {@link serveApi} answers from. */
export interface ApiPorts {
  readonly instances: Instances;
  readonly tokens: TokenDesk;
  readonly limits: ServeLimits;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** The server's URL as this client reaches it; without a slash at its end. */
  readonly urlFor: (request: IncomingMessage) => string;
  readonly onEvent: (event: ServeEvent) => void;
}

interface Answer {
  readonly status: number;
  readonly data?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The organisation of an instance that was made without one. */
const NO_ORG = "none";

/** Answers the requests of the sidecar API. Never rejects. */
export function serveApi(
  ports: ApiPorts,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let inFlight = 0;
  return async (request, response) => {
    // A client that goes away while it is answered is none of our errors.
    response.on("error", () => {});
    inFlight++;
    try {
      if (inFlight > ports.limits.requestsInFlight) throw tooMany("Too many requests at once.", 1);
      send(request, response, await answer(ports, request));
    } catch (error) {
      const problem = error instanceof HttpProblem
        ? error
        : new HttpProblem(500, "The host failed to answer.");
      if (problem !== error) {
        ports.onEvent({ kind: "failed", what: error instanceof Error ? error.message : "?" });
      }
      const { status, headers, message } = problem;
      const body = { error: { id: randomUUID(), title: message } };
      send(request, response, { status, data: body, headers });
    } finally {
      inFlight--;
    }
  };
}

async function answer(ports: ApiPorts, request: IncomingMessage): Promise<Answer> {
  const route = matchRoute(request.url ?? "");
  if (route === undefined) throw new HttpProblem(404, "route not found");
  const method = request.method === "HEAD" ? "GET" : request.method ?? "";
  const methods = route.methods.includes("GET") ? [...route.methods, "HEAD"] : [...route.methods];
  const allow = [...methods, "OPTIONS"].join(", ");
  if (method === "OPTIONS") return { status: 204, headers: { allow } };
  if (route.kind === "tunnel") {
    throw new HttpProblem(426, "This is a tunnel: a WebSocket is needed.", {
      upgrade: "websocket",
    });
  }
  const owner = ownerOf(ports, request);
  if (!route.methods.includes(method)) {
    throw new HttpProblem(405, `${method} is not possible here.`, { allow });
  }
  if (route.kind === "unsupported") {
    throw new HttpProblem(501, "This host has no snapshots, and runs commands by SSH only.");
  }
  if (route.kind === "add-key") return await addKey(ports, request, owner, route.id);
  if (route.kind === "instance") {
    const instance = found(ports.instances.find(owner, route.id), route.id);
    await ports.instances.destroy(instance.label.id, "asked");
    return { status: 204 };
  }
  return method === "GET" ? list(ports, owner, route) : await create(ports, request, owner);
}

function ownerOf({ tokens, onEvent }: ApiPorts, request: IncomingMessage): string {
  const token = request.headers["circle-token"];
  const owner = typeof token === "string" ? tokens.ownerOf(token) : undefined;
  if (owner !== undefined) return owner;
  onEvent({ kind: "refused", what: token === undefined ? "no token" : "an unknown token" });
  throw new HttpProblem(401, "The header Circle-Token has to hold a token of this host.");
}

function list({ instances, hostKey }: ApiPorts, owner: string, { query }: RouteMatch): Answer {
  // `all` asks for those of the whole organisation; nobody is the admin of another owner here.
  const org = query.get("org_id") ?? undefined;
  const data = instances.list(owner, org).map((instance) => describe(instance, hostKey));
  return { status: 200, data: { data } };
}

async function create(ports: ApiPorts, request: IncomingMessage, owner: string): Promise<Answer> {
  const { data } = await readBody(request, CREATE_BODY, ports.limits.bodyBytes);
  const { name, image } = data.attributes;
  if (image !== undefined && image !== "") {
    throw new HttpProblem(400, "data.attributes.image: this host has no snapshots.");
  }
  const org = data.references?.org?.id ?? NO_ORG;
  const { instance, fresh } = await ports.instances.create(owner, name, org);
  return { status: fresh ? 201 : 200, data: { data: describe(instance, ports.hostKey) } };
}

async function addKey(
  ports: ApiPorts,
  request: IncomingMessage,
  owner: string,
  id: string,
): Promise<Answer> {
  const body = await readBody(request, ADD_KEY_BODY, ports.limits.bodyBytes);
  const key = parsePublicKey(body.public_key);
  const instance = found(ports.instances.find(owner, id), id);
  if (!instance.addKey(key)) throw new HttpProblem(400, "public_key: there are too many already.");
  instance.touch();
  const attributes = { url: `${ports.urlFor(request)}/i/${id}`, host_key: ports.hostKey };
  return { status: 200, data: { data: { id, attributes } } };
}

function found(instance: Instance | undefined, id: string): Instance {
  if (instance !== undefined) return instance;
  throw new HttpProblem(404, `There is no instance ${id}: it was destroyed, or never made.`);
}

function describe({ label }: Instance, hostKey: string): unknown {
  return {
    id: label.id,
    attributes: { name: label.name, host_key: hostKey },
    references: { org: { id: label.org }, user: { id: label.owner } },
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, data, headers }: Answer,
): void {
  const body = data === undefined ? undefined : Buffer.from(`${JSON.stringify(data)}\n`);
  response.writeHead(status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(body === undefined
      ? {}
      : { "content-type": "application/json; charset=utf-8", "content-length": body.length }),
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
  // What is left of a body that nobody reads would be taken for the next request.
  if (!request.complete) request.resume();
}
