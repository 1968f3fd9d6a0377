import process from "node:process";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type AuthContext, type Connection, type ServerConfig } from "ssh2";
import type { Clock } from "../clock.ts";
import type { Instance } from "./instance.ts";
import type { ServeEvent } from "./serve-event.ts";
import type { ServeLimits } from "./serve-limits.ts";
import { acceptSession } from "./ssh-session.ts";

/** One SSH connection to an instance. */
export interface SshPorts {
  readonly instance: Instance;
  /** What SSH is spoken over. */
  readonly stream: Duplex;
  /** OpenSSH format. */
  readonly hostKey: string;
  readonly clock: Clock;
  readonly limits: Pick<ServeLimits, "loginMs" | "channelsPerConnection">;
  readonly onEvent: (event: ServeEvent) => void;
  /** How many bytes wait to be sent below `stream`. */
  readonly backlog: () => number;
}

const USER = "user";
const MAX_AUTHENTICATIONS = 10;

const GCM = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
] as const;
const CHACHA = "chacha20-poly1305@openssh.com";

/** What works alike on every runtime, the fastest cipher first; nothing is compressed. */
const ALGORITHMS: NonNullable<ServerConfig["algorithms"]> = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "diffie-hellman-group14-sha256",
  ],
  cipher: process.versions["deno"] === undefined ? [...GCM, CHACHA] : [CHACHA, ...GCM],
  compress: ["none"],
};

/** Speaks SSH with whoever is at the other end: by public key only, sessions only. */
export function serveSsh(ports: SshPorts): void {
  const { instance, stream, hostKey, clock, limits, onEvent } = ports;
  const id = instance.label.id;
  const login = clock.setTimeout(() => {
    onEvent({ kind: "refused", what: "did not log in within time", instance: id });
    stream.destroy();
  }, limits.loginMs);
  stream.once("close", () => clock.clearTimeout(login));
  const accept = (client: Connection) => {
    // Whatever a client does wrong ends its connection and nothing else.
    client.on("error", () => stream.destroy());
    let attempts = 0;
    client.on("authentication", (context) => {
      if (++attempts > MAX_AUTHENTICATIONS) {
        onEvent({ kind: "refused", what: "too many keys", instance: id });
        return stream.destroy();
      }
      if (mayLogIn(instance, context)) context.accept();
      else context.reject(["publickey"]);
    });
    client.once("ready", () => {
      clock.clearTimeout(login);
      const leave = instance.use();
      onEvent({ kind: "connected", instance: id });
      stream.once("close", () => {
        leave();
        onEvent({ kind: "disconnected", instance: id });
      });
      acceptSession(client, ports);
    });
  };
  new ssh2.Server({ hostKeys: [hostKey], algorithms: ALGORITHMS, ident: "sidecanary" }, accept)
    // It takes any duplex stream, though its types ask for a socket.
    .injectSocket(stream as Socket);
}

function mayLogIn(instance: Instance, context: AuthContext): boolean {
  if (context.method !== "publickey" || context.username !== USER) return false;
  const key = instance.keyOf(context.key.data);
  if (key === undefined) return false;
  // A client may ask first whether a key would do.
  if (context.signature === undefined || context.blob === undefined) return true;
  const parsed = ssh2.utils.parseKey(`${key.type} ${key.blob.toString("base64")}`);
  if (parsed instanceof Error) return false;
  return parsed.verify(context.blob, context.signature, context.hashAlgo) === true;
}
