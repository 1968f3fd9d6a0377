import { homedir } from "node:os";
import type { Clock } from "../../clock.ts";
import type { AskPassphrase } from "../../ssh/read-key.ts";
import { hostFailed } from "../host-failed.ts";
import { parseHostName } from "../host-name.ts";
import type { HostProvider, HostRef } from "../host-provider.ts";
import type { Host } from "../host.ts";
import { Connector } from "./connector.ts";
import { keyReader } from "./key-reader.ts";
import { addressKey, parseSshTarget, showAddress, type SshAddress } from "./ssh-address.ts";
import { listFolders, removeFolder } from "./workspace-folders.ts";

/** Which hosts, and whose configuration and trust. */
export interface SshHostsOptions {
  /** Addresses, as `parseSshTarget` reads them; the first one has the index 0. */
  readonly targets: readonly (string | SshAddress)[];
  /**
   * A private key's file for every target that names none itself.
   * @default what ssh's configuration says
   */
  readonly identityFile?: string;
  /**
   * Accept and remember the keys of hosts that are not known.
   * @default false
   */
  readonly acceptNew?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. @default the system's answer */
  readonly home?: string;
  /** @default the user's and the system's configuration of ssh */
  readonly configFile?: string;
  /** @default `$SIDECANARY_SSH_PASSPHRASE` */
  readonly passphrase?: AskPassphrase;
  /** Told, once each, what people should know: that others may read a key. @default nobody is told */
  readonly onNotice?: (message: string) => void;
  readonly clock: Clock;
}

/**
 * Hosts that the user names: nothing is made and nothing destroyed but workspaces of ours on them.
 *
 * The host of index `n` is the target `n`, whatever its name; to let a target serve several places is
 * the caller's business (`SshAddress.lanes`).
 *
 * @throws RangeError for a target that is malformed, and for none at all
 */
export function createSshHosts(options: SshHostsOptions): HostProvider {
  const { env, home = homedir(), clock, acceptNew = false, configFile, identityFile } = options;
  const targets = options.targets.map((target) => {
    const address = typeof target === "string" ? parseSshTarget(target) : target;
    const identity = address.identity ?? identityFile;
    return identity === undefined ? address : { ...address, identity: fromHome(identity, home) };
  });
  if (targets.length === 0) throw new RangeError("There is no ssh host: name one as ssh://host");
  const told = new Set<string>();
  const read = keyReader(
    options.passphrase ?? (() => env["SIDECANARY_SSH_PASSPHRASE"]),
    (message) => {
      if (!told.has(message)) options.onNotice?.(message);
      told.add(message);
    },
  );
  const connector = new Connector({
    env,
    home,
    acceptNew,
    read,
    clock,
    ...(configFile === undefined ? {} : { configFile }),
  });
  const open = new Set<Host>();
  const connect = async (address: SshAddress, signal: AbortSignal): Promise<Host> => {
    const host = await connector.connect(address, signal);
    open.add(host);
    void host.closed.then(() => open.delete(host));
    return host;
  };
  const use = async <Result>(
    address: SshAddress,
    signal: AbortSignal,
    work: (host: Host) => Promise<Result>,
  ): Promise<Result> => {
    const host = await connect(address, signal);
    try {
      return await work(host);
    } finally {
      await host.close();
    }
  };
  const refOf = (address: SshAddress, name: string): HostRef => ({
    id: `${addressKey(address)}/${name}`,
    name,
    address: showAddress(address),
  });
  const targetOf = ({ id, name, address }: HostRef): SshAddress => {
    const found = targets.find((each) => id === `${addressKey(each)}/${name}`);
    if (found !== undefined) return found;
    const host = address ?? name;
    throw hostFailed(
      `${host} is not among the ssh hosts that were named: ${targets.map(showAddress).join(", ")}`,
      { host, fault: "not-found", kind: "never" },
    );
  };
  const place = (name: string, index: number | undefined): HostRef | undefined => {
    const address = index === undefined ? undefined : targets[index];
    return address && refOf(address, name);
  };
  return {
    kind: "ssh",
    capacity: targets.length,
    disposable: false,
    describe: () => `ssh to ${new Intl.ListFormat("en").format(targets.map(showAddress))}`,
    find: (name) => Promise.resolve(place(name, parseHostName(name)?.index)),
    create: (spec) => {
      const ref = place(spec.name, spec.index);
      if (ref !== undefined) return Promise.resolve(ref);
      return Promise.reject(hostFailed(
        `There is no ssh host ${spec.index}: ${targets.length} were named`,
        { host: spec.name, fault: "limit-reached", kind: "never" },
      ));
    },
    connect: async (ref, signal) => await connect(targetOf(ref), signal),
    list: async (signal, index) => {
      const refs: HostRef[] = [];
      // A machine that is down says nothing about the others.
      const wanted = index === undefined ? targets : targets.slice(index, index + 1);
      for (const address of wanted) {
        const names = await use(address, signal, (host) => listFolders(host, signal));
        for (const name of names) {
          if (parseHostName(name) !== undefined) refs.push(refOf(address, name));
        }
      }
      return refs;
    },
    destroy: async (ref, signal) => {
      if (parseHostName(ref.name) === undefined) {
        throw hostFailed(
          `"${ref.name}" is no name of ours, so it is not removed`,
          { host: ref.address ?? ref.name, fault: "bad-request", kind: "never" },
        );
      }
      await use(targetOf(ref), signal, (host) => removeFolder(host, ref.name, signal));
    },
    close: async () => {
      await Promise.all([...open].map((host) => host.close()));
    },
  };
}

function fromHome(path: string, home: string): string {
  return path.startsWith("~/") ? `${home}${path.slice(1)}` : path;
}
