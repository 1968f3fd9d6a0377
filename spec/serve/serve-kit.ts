import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import { createWebSocketStream, WebSocket } from "ws";
import ssh2, {
  type Client,
  type ClientChannel,
  type ConnectConfig,
  type PseudoTtyOptions,
} from "ssh2";
import { systemClock } from "../../runtime/clock.ts";
import type { ServeEvent } from "../../runtime/serve/serve-event.ts";
import {
  type SidecarHost,
  type SidecarHostOptions,
  startSidecarHost,
} from "../../runtime/serve/start-sidecar-host.ts";
import { root } from "../kit/root.ts";
import { tempDir } from "../kit/temp-dir.ts";

export const ALICE = "alice-secret-0123456789";
export const BOB = "bob-secret-0123456789abc";
/** A key that clients log in with, and one that nobody was told of. */
export const KEY = keyPair();
export const OTHER_KEY = keyPair();

/** An ed25519 pair that is well formed: of those that ssh2 makes, one of 256 is not. */
export function keyPair(): { readonly public: string; readonly private: string } {
  for (;;) {
    const made = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(made.private) instanceof Error)) return made;
  }
}

export interface TestHost extends SidecarHost {
  readonly stateDir: string;
  readonly events: readonly ServeEvent[];
}

/** A real host on loopback, with the owners alice and bob. */
export async function testHost(options: Partial<SidecarHostOptions> = {}): Promise<TestHost> {
  const events: ServeEvent[] = [];
  const stateDir = options.stateDir ?? await tempDir();
  const host = await startSidecarHost({
    listen: { host: "127.0.0.1", port: 0 },
    tokens: [{ owner: "alice", secret: ALICE }, { owner: "bob", secret: BOB }],
    clock: systemClock,
    // For machines with nothing but Node; specs of the walls make sure that they stand.
    isolation: { sharedUserUnsafe: true },
    onEvent: (event) => events.push(event),
    ...options,
    stateDir,
  });
  return { ...host, stateDir, events };
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** One request of the API. */
export async function api(
  host: { readonly url: string },
  method: string,
  path: string,
  { token = ALICE, body }: { readonly token?: string | null; readonly body?: unknown } = {},
): Promise<ApiAnswer> {
  const response = await fetch(`${host.url}${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { "circle-token": token }),
      ...(body === undefined ? {} : { "content-type": "application/json; charset=utf-8" }),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

export const INSTANCES = "/api/v3/sidecar/instances";

/** The body of a create. */
export function createBody(name: string): unknown {
  return { data: { attributes: { name }, references: { org: { id: "org-1" } } } };
}

/** Makes an instance that {@link KEY} may log in to; answers its id and its tunnel's URL. */
export async function makeInstance(
  host: { readonly url: string },
  name: string,
  token: string = ALICE,
): Promise<{ readonly id: string; readonly url: string }> {
  const made = await api(host, "POST", INSTANCES, { token, body: createBody(name) });
  if (made.status > 201) throw new Error(`create: ${made.status} ${JSON.stringify(made.body)}`);
  const { id } = made.body.data;
  const added = await api(host, "POST", `${INSTANCES}/${id}/ssh/add-key`, {
    token,
    body: { public_key: KEY.public },
  });
  if (added.status !== 200) throw new Error(`add-key: ${added.status}`);
  return { id, url: `${added.body.data.attributes.url.replace(/^http/, "ws")}/ssh/tunnel` };
}

export interface DialOptions {
  readonly username?: string;
  readonly privateKey?: string;
  readonly password?: string;
  readonly authHandler?: ConnectConfig["authHandler"] & object;
  readonly onHostKey?: (key: Buffer) => void;
  readonly ca?: string;
}

/** An SSH client over a WebSocket. */
export async function dial(url: string, options: DialOptions = {}): Promise<Client> {
  const { onHostKey, ca, ...credentials } = options;
  const ws = new WebSocket(url, { perMessageDeflate: false, ...(ca === undefined ? {} : { ca }) });
  const stream = createWebSocketStream(ws);
  ws.once("close", () => stream.destroy());
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    stream.once("error", reject);
    client.on("error", reject);
    client.once("close", () => reject(new Error("closed before it was ready")));
    client.once("ready", resolve);
    client.connect({
      sock: stream,
      username: "user",
      readyTimeout: 9_000,
      hostVerifier: (key: Buffer) => {
        onHostKey?.(key);
        return true;
      },
      ...(credentials.password === undefined ? { privateKey: KEY.private } : {}),
      ...credentials,
    });
  });
  return client;
}

export interface Executed {
  readonly code: number | null | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Opens a channel that runs `command`. */
export function open(
  client: Client,
  command: string,
  pty?: PseudoTtyOptions,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, pty === undefined ? {} : { pty }, (error, channel) => {
      if (error) return reject(error);
      // A short command has ended before a promise is looked at.
      channel.on("exit", (...end: Exit) => exits.set(channel, end));
      resolve(channel);
    });
  });
}

type Exit = [number | null, string | undefined];
const exits = new WeakMap<ClientChannel, Exit>();

/** Runs a command to its end. */
export async function exec(client: Client, command: string, stdin = ""): Promise<Executed> {
  const channel = await open(client, command);
  channel.end(stdin);
  return await finish(channel);
}

/** Waits for the end of a channel. */
export async function finish(channel: ClientChannel): Promise<Executed> {
  let stdout = "", stderr = "";
  channel.setEncoding("utf8").on("data", (text: string) => stdout += text);
  channel.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  channel.on("exit", (...end: Exit) => exits.set(channel, end));
  await new Promise((resolve) => channel.once("close", resolve));
  const [code, signal] = exits.get(channel) ?? [];
  return { code, signal, stdout, stderr };
}

/** Runs a command on a connection of its own. */
export async function execOnce(url: string, command: string, stdin = ""): Promise<Executed> {
  const client = await dial(url);
  try {
    return await exec(client, command, stdin);
  } finally {
    client.end();
  }
}

/** The command line that makes this runtime run `kit/children/serves.ts`; see `run-script.ts`. */
export function hostScript(): string[] {
  const deno = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  const built = !import.meta.url.endsWith(".ts");
  const file = built ? "dist-spec/kit/children/serves.js" : "spec/kit/children/serves.ts";
  return [process.execPath, ...deno, join(root(), file)];
}

/** The command line that runs `argv` where no user namespace can be made: below one that forbids it. */
export function withoutNamespaces(argv: readonly string[]): [string, ...string[]] {
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
  return ["unshare", "-Ur", "sh", "-c", forbid, "sh", ...argv];
}
