import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import type { Host } from "../../runtime/sidecars/host.ts";
import type { HostProvider, HostRef, HostSpec } from "../../runtime/sidecars/host-provider.ts";
import { type ShellHost, shellHost } from "./shell-host.ts";

/** Hosts on this machine, whose connections can be cut; their workspaces lie in a folder. */
export interface ShellHosts extends HostProvider {
  /** The connections that were made, in order. */
  readonly links: ShellHost[];
  /** What is there, by name. */
  readonly there: Map<string, HostRef>;
  /** What `create` was called with. */
  readonly asked: HostSpec[];
  /** The commands that went to any of them. */
  readonly commands: string[];
  /** Cuts every connection. */
  cut(): void;
  /** Called before each command; throwing fails it. */
  before: (command: string, host: ShellHost) => void;
  /** Called when a host is to be made; throwing fails it, before or after it is there. */
  onCreate: (spec: HostSpec, when: "before" | "after") => void;
  /** Called before a host is destroyed; throwing fails it. */
  onDestroy: (ref: HostRef) => void;
}

/**
 * @param cache where the hosts have their workspaces
 */
export function shellHosts(
  cache: string,
  { disposable = false, env = {} }: {
    readonly disposable?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): ShellHosts {
  const links: ShellHost[] = [];
  const there = new Map<string, HostRef>();
  const commands: string[] = [];
  const asked: HostSpec[] = [];
  const hosts: ShellHosts = {
    kind: "shell",
    capacity: null,
    disposable,
    links,
    there,
    asked,
    commands,
    before: () => {},
    onCreate: () => {},
    onDestroy: () => {},
    describe: () => "shells of this machine",
    cut: () => links.forEach((link) => link.cut()),
    find: (name) => Promise.resolve(there.get(name)),
    create: async (spec) => {
      asked.push(spec);
      hosts.onCreate(spec, "before");
      const ref = { id: spec.name, name: spec.name };
      there.set(spec.name, ref);
      hosts.onCreate(spec, "after");
      return await Promise.resolve(ref);
    },
    connect: async ({ name }): Promise<Host> => {
      if (!there.has(name)) {
        throw hostFailed(`${name} is gone`, { host: name, fault: "gone", kind: "never" });
      }
      await mkdir(cache, { recursive: true });
      const host = shellHost({ name, env: { ...env, XDG_CACHE_HOME: cache } });
      links.push(host);
      return {
        ...host,
        exec: async (request) => {
          commands.push(request.command);
          hosts.before(request.command, host);
          return await host.exec(request);
        },
      };
    },
    list: () => Promise.resolve([...there.values()]),
    destroy: async (ref) => {
      hosts.onDestroy(ref);
      there.delete(ref.name);
      // Only where nothing was left in it.
      if (there.size === 0) await rmdir(join(cache, "sidecanary")).catch(() => {});
    },
    close: () => Promise.resolve(),
  };
  return hosts;
}
