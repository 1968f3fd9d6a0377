import type { Duplex } from "node:stream";
import type { ParsedKey } from "ssh2";
import type { Clock } from "../../clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../errors.ts";
import { AUTHENTICATION_PAUSE_MS } from "../../ssh/classify-ssh.ts";
import { connectSsh } from "../../ssh/connect-ssh.ts";
import { dialTcp } from "../../ssh/dial-tcp.ts";
import { dialTunnel } from "../../ssh/dial-tunnel.ts";
import type { HostKeyPolicy } from "../../ssh/host-key-policy.ts";
import { knownHostsPolicy } from "../../ssh/known-hosts.ts";
import { type SshSettings, sshSettings } from "../../ssh/ssh-config.ts";
import type { SshHost } from "../../ssh/ssh-host.ts";
import type { SshIdentity } from "../../ssh/ssh-identity.ts";
import { tunnelUrl } from "../../ssh/tunnel-url.ts";
import { hostFailed } from "../host-failed.ts";
import { DialGate } from "./dial-gate.ts";
import { type IdentityChoice, identityChoices } from "./identity-choices.ts";
import { IdentityTurns } from "./identity-turns.ts";
import { parseJump } from "./parse-jump.ts";
import { addressKey, showAddress, type SshAddress } from "./ssh-address.ts";

/** What connecting needs beside an address. */
export interface ConnectorOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** Whether the keys of hosts that are not known are accepted and added. */
  readonly acceptNew: boolean;
  /** @default the user's and the system's configuration of ssh */
  readonly configFile?: string;
  /** Reads a private key. */
  readonly read: (path: string) => Promise<ParsedKey>;
  readonly clock: Clock;
}

/** A host on the way, and how far the way has been. */
interface Way {
  readonly address: SshAddress;
  readonly signal: AbortSignal;
  readonly jumps: number;
  readonly through?: SshHost;
}

/** A host whose settings are known. */
interface Resolved extends Omit<Way, "jumps"> {
  readonly settings: SshSettings;
  /** For people. */
  readonly name: string;
  readonly hostName: string;
  readonly port: number;
}

/** More hosts than this on the way to another one are a loop. */
const MOST_JUMPS = 8;

/** Connects to hosts that the user names, as the user's ssh would. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #gate: DialGate;
  readonly #turns = new Map<string, IdentityTurns>();

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#gate = new DialGate(options.clock);
  }

  /**
   * One attempt, with one identity. After a refusal the next attempt offers the next identity, six
   * seconds later at the earliest; when all have been refused, the error is final.
   *
   * @throws SidecanaryError `host-failed`; the signal's reason when aborted
   */
  connect(address: SshAddress, signal: AbortSignal): Promise<SshHost> {
    return this.#open({ address, signal, jumps: 0 });
  }

  async #open(way: Way): Promise<SshHost> {
    const { address, signal } = way;
    const { env, home, configFile } = this.#options;
    const settings = await sshSettings({
      host: address.host,
      env,
      home,
      signal,
      ...(address.user === undefined ? {} : { user: address.user }),
      ...(address.port === undefined ? {} : { port: address.port }),
      ...(configFile === undefined ? {} : { configFile }),
    });
    const tcp = address.scheme === "ssh";
    const port = tcp ? settings.port : address.port ?? (address.scheme === "wss" ? 443 : 80);
    const { scheme, host } = address;
    const name = showAddress(port === 22 ? { scheme, host } : { scheme, host, port });
    const hostName = tcp ? settings.hostName : address.host;
    const through = way.through ?? (tcp ? await this.#jump(settings.proxyJump, way) : undefined);
    const resolved = { address, signal, settings, name, hostName, port };
    try {
      const gate = `${hostName}:${port}`;
      const connection = await this.#gate.pass(
        gate,
        signal,
        () => this.#dial(through === undefined ? resolved : { ...resolved, through }, gate),
      );
      if (through !== undefined) void connection.closed.then(() => through.close());
      return connection;
    } catch (error) {
      await through?.close();
      throw error;
    }
  }

  /** The last of the hosts to go through; it closes those before it. */
  async #jump(names: readonly string[], way: Way): Promise<SshHost | undefined> {
    let through: SshHost | undefined;
    let { jumps } = way;
    for (const text of names) {
      if (++jumps > MOST_JUMPS) {
        await through?.close();
        const host = showAddress(way.address);
        throw hostFailed(
          `More than ${MOST_JUMPS} ProxyJumps are on the way to ${host}: do they form a loop?`,
          { host, fault: "config", kind: "never" },
        );
      }
      const next = {
        address: parseJump(text, showAddress(way.address)),
        signal: way.signal,
        jumps,
      };
      through = await this.#open(through === undefined ? next : { ...next, through });
    }
    return through;
  }

  async #dial(resolved: Resolved, gate: string): Promise<SshHost> {
    const { address, settings, name, signal } = resolved;
    const { clock } = this.#options;
    const turns = this.#turnsOf(address);
    const [hostKey, choices] = await Promise.all([
      this.#hostKey(resolved),
      this.#choices(resolved),
    ]);
    const { choice, identity } = await load(turns, choices);
    const limit = deadline(settings);
    try {
      const connection = await connectSsh({
        stream: await this.#stream(resolved),
        name,
        username: settings.user,
        identity,
        hostKey,
        clock,
        signal,
        ...limit,
      });
      turns.accepted(choice);
      this.#gate.welcome(gate);
      return connection;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#gate.holdBack(gate);
      throw refusal(error, choices, turns.refused(choice, choices));
    }
  }

  #turnsOf(address: SshAddress): IdentityTurns {
    const key = `${addressKey(address)} ${address.identity ?? ""}`;
    const turns = this.#turns.get(key) ?? new IdentityTurns();
    this.#turns.set(key, turns);
    return turns;
  }

  #hostKey({ address, settings, hostName, port, through }: Resolved): Promise<HostKeyPolicy> {
    const alias = settings.hostKeyAlias;
    // ssh-keyscan sees only what this machine can reach by TCP.
    const direct = through === undefined && address.scheme === "ssh";
    return knownHostsPolicy({
      ...(alias === undefined ? { host: hostName, port } : { host: alias }),
      userFiles: settings.userKnownHostsFiles,
      globalFiles: settings.globalKnownHostsFiles,
      acceptNew: this.#options.acceptNew || settings.strictHostKeyChecking === "accept-new",
      hashNames: settings.hashKnownHosts,
      ...(direct && alias === undefined ? {} : { showCommand: "ssh to it by hand" }),
    });
  }

  #choices({ address, settings, name }: Resolved): Promise<IdentityChoice[]> {
    const { identity } = address;
    const { read } = this.#options;
    return identityChoices({
      host: name,
      settings,
      read,
      ...(identity === undefined ? {} : { file: identity }),
    });
  }

  #stream({ address, settings, hostName, port, through, signal }: Resolved): Promise<Duplex> {
    const { clock } = this.#options;
    if (through !== undefined) return through.forward(hostName, port, signal);
    const limit = deadline(settings);
    if (address.scheme === "ssh") {
      return dialTcp({ host: hostName, port, signal, clock, ...limit });
    }
    const host = hostName.includes(":") ? `[${hostName}]` : hostName;
    const url = tunnelUrl(`${address.scheme}://${host}:${port}${address.path ?? ""}`);
    return dialTunnel({ url, signal, clock, ...limit });
  }
}

function deadline({ connectTimeoutMs }: SshSettings): { readonly deadlineMs?: number } {
  return connectTimeoutMs === undefined ? {} : { deadlineMs: connectTimeoutMs };
}

/** A key that cannot be read is passed over, unless it is the last one. */
async function load(
  turns: IdentityTurns,
  choices: readonly IdentityChoice[],
): Promise<{ readonly choice: IdentityChoice; readonly identity: SshIdentity }> {
  for (;;) {
    const choice = turns.pick(choices) as IdentityChoice;
    try {
      return { choice, identity: await choice.load() };
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed") || error.details.fault !== "bad-key") {
        throw error;
      }
      if (!turns.refused(choice, choices)) throw error;
    }
  }
}

function isRefusal(error: unknown): error is SidecanaryError<"host-failed"> {
  return isSidecanaryError(error, "host-failed") &&
    ["authentication", "too-many-authentications"].includes(error.details.fault);
}

/** Nobody installs a key on a user's own host while we wait, so trying all of them once is enough. */
function refusal(
  error: SidecanaryError<"host-failed">,
  choices: readonly IdentityChoice[],
  more: boolean,
): Error {
  const tried = choices.map(({ name }) => name).join(", ");
  return hostFailed(
    more ? error.message : `${error.message} Offered: ${tried}`,
    more
      ? { ...error.details, kind: "reconnect", retryAfterMs: AUTHENTICATION_PAUSE_MS }
      : { ...error.details, kind: "never" },
    error,
  );
}
