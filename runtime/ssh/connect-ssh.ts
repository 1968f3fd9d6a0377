import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import ssh2 from "ssh2";
import type { AnyAuthMethod, AuthHandlerMiddleware, Client } from "ssh2";
import type { Clock } from "../clock.ts";
import { isSidecanaryError } from "../errors.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import { algorithmsFor } from "./algorithms.ts";
import { attempt } from "./attempt.ts";
import { classifySsh, type SshFailure } from "./classify-ssh.ts";
import { explainSsh } from "./explain-ssh.ts";
import type { HostKeyPolicy } from "./host-key-policy.ts";
import { OneKeyAgent } from "./one-key-agent.ts";
import { SshConnection } from "./ssh-connection.ts";
import type { SshHost } from "./ssh-host.ts";
import type { SshIdentity } from "./ssh-identity.ts";
import { verifyHostKey } from "./verify-host-key.ts";

/** How much of what a server says before the login is kept, in characters. */
const BANNER_LENGTH = 4096;

/** One attempt to connect. */
export interface SshTarget {
  /** The bytes to the SSH server: a socket, a tunnel. Belongs to the connection from now on. */
  readonly stream: Duplex;
  /** For messages; holds no secret. */
  readonly name: string;
  /** May be a secret: never shown. */
  readonly username: string;
  readonly identity: SshIdentity;
  readonly hostKey: HostKeyPolicy;
  /** Over handshake and authentication, in ms. @default 20_000 */
  readonly deadlineMs?: number;
  /** How often a silent host is asked whether it is there, in ms. @default 10_000 */
  readonly keepaliveMs?: number;
  /** How many questions may stay without an answer. @default 3 */
  readonly keepaliveCount?: number;
  readonly clock: Clock;
  /** Ends the attempt; a connection that was made is ended by {@link SshHost.close}. */
  readonly signal: AbortSignal;
}

/**
 * Makes an SSH connection over a stream of bytes. The host's key is judged before anything secret is
 * sent. At most four commands run at a time, further ones wait; terminals and forwarded ports do not
 * count.
 *
 * @throws SidecanaryError `host-failed`
 * @throws what the policy throws; the signal's reason when aborted
 */
export function connectSsh(target: SshTarget): Promise<SshHost> {
  const { stream, name, deadlineMs = 20_000, clock, signal } = target;
  const state: State = { phase: "handshake", heard: false, agentFailed: false, banner: "" };
  const fail = (error: unknown): Error => {
    // A stream that knows better says so.
    if (isSidecanaryError(error, "host-failed")) return error;
    const found = classifySsh({ ...state, error });
    return hostFailed(
      explainSsh(name, found, { ...state, error }),
      { host: name, ...found },
      error,
    );
  };
  const late = () =>
    hostFailed(`${name} did not finish the ${state.phase} within ${deadlineMs} ms`, {
      host: name,
      fault: "dial-timeout",
      kind: "reconnect",
    });
  stream.on("error", () => {});
  if (signal.aborted) stream.destroy();
  return attempt({ deadlineMs, clock, signal, late }, ({ resolve, reject }) => {
    const client = new ssh2.Client();
    // It stays for life: an error may come at any time, and without a listener ends the process.
    client.on("error", (error: Error & { readonly level?: string }) => {
      if (error.level === "agent") state.agentFailed = true;
      else if (state.phase !== "ready") reject(fail(error));
    });
    client.on("banner", (text) => {
      state.banner = (state.banner + text).slice(0, BANNER_LENGTH);
    });
    client.once("handshake", () => state.phase = "authentication");
    client.once("ready", () => {
      state.phase = "ready";
      resolve(new SshConnection({ name, client, stream, clock, explain: fail }));
    });
    client.on("end", () => setImmediate(() => stream.destroy()));
    client.once("close", () => {
      if (state.phase !== "ready") reject(fail(undefined));
    });
    if (stream.destroyed || stream.readableEnded) reject(fail(undefined));
    else {
      try {
        begin(client, target, state, reject);
      } catch (error) {
        const message = `${name} cannot be connected to with this configuration`;
        reject(hostFailed(message, { host: name, fault: "config", kind: "never" }, error));
      }
    }
    return () => stream.destroy();
  });
}

interface State extends Omit<Mutable<SshFailure>, "error"> {
  banner: string;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

function begin(
  client: Client,
  { stream, name, username, identity, hostKey, keepaliveMs, keepaliveCount }: SshTarget,
  state: State,
  reject: (error: unknown) => void,
): void {
  if (identity.kind === "key" && !identity.key.isPrivateKey()) {
    const message = `The key for ${name} is a public one: name the private key's file`;
    return reject(hostFailed(message, { host: name, fault: "bad-key", kind: "never" }));
  }
  client.connect({
    sock: stream,
    username,
    authHandler: offer(username, identity),
    hostVerifier: verifyHostKey(name, hostKey, reject),
    algorithms: algorithmsFor(hostKey.algorithms),
    readyTimeout: 0,
    keepaliveInterval: keepaliveMs ?? 10_000,
    keepaliveCountMax: keepaliveCount ?? 3,
  });
  // ssh2 has paused the stream until its own listener is there, so this takes nothing from it.
  stream.once("data", () => state.heard = true);
  client.setNoDelay(true);
}

/** Offers one identity, and nothing else. */
function offer(username: string, identity: SshIdentity): AuthHandlerMiddleware {
  const method: AnyAuthMethod = identity.kind === "key"
    ? { type: "publickey", username, key: identity.key }
    : { type: "agent", username, agent: new OneKeyAgent(identity.socket, identity.publicKey) };
  let offered = false;
  return (_left, _partial, next) => {
    // `false` is how ssh2 is told that there is nothing more; its types do not know.
    next(offered ? false as never : method);
    offered = true;
  };
}
