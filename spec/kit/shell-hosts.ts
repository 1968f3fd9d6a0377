import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { parseHostName } from "../../runtime/sidecars/host-name.ts";
import type { Host } from "../../runtime/sidecars/host.ts";
import type { HostProvider, HostRef, HostSpec } from "../../runtime/sidecars/host-provider.ts";
import { until } from "./processes.ts";
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
  /** Cuts every connection, or those to one host. */
  cut(name?: string): void;
  /**
   * The machine is gone: its connections, its processes, its files. Only with `apart`; resolves when
   * nothing of it runs any more.
   */
  kill(name: string): Promise<void>;
  /** What runs and lies on any of them. Only with `apart`. */
  leftovers(): Promise<ShellLeftovers>;
  /** Called before each command; throwing fails it. */
  before: (command: string, host: ShellHost) => void;
  /** Called when a host is to be made; throwing fails it, before or after it is there. */
  onCreate: (spec: HostSpec, when: "before" | "after") => void;
  /** Called before a host is destroyed; throwing fails it. */
  onDestroy: (ref: HostRef) => void;
}

/** What is left on hosts. */
export interface ShellLeftovers {
  /** Their numbers and command lines. */
  readonly processes: readonly string[];
  /** Workspaces, below the folder of the hosts. */
  readonly folders: readonly string[];
}

/** How {@link shellHosts} are made. */
export interface ShellHostsOptions {
  /** @default false */
  readonly disposable?: boolean;
  /**
   * Variables over this process's.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Each host has a home of its own: a folder of its name below the cache where hosts are disposable
   * (those that are there already are hosts that another process has made), else one for each index.
   * @default false
   */
  readonly apart?: boolean;
}

/** The variable by which the processes of a host with a home of its own are found. */
const MARK = "SIDECANARY_SPEC_HOME";

/** The environment of a host with a home of its own, by which `leftovers()` finds what it runs. */
export function homeEnv(home: string): Record<string, string> {
  return { HOME: home, XDG_CACHE_HOME: home, [MARK]: home };
}

/**
 * @param cache where the hosts have their workspaces
 */
export function shellHosts(
  cache: string,
  { disposable = false, env = {}, apart = false }: ShellHostsOptions = {},
): ShellHosts {
  const links: ShellHost[] = [];
  const there = new Map<string, HostRef>();
  const commands: string[] = [];
  const asked: HostSpec[] = [];
  const homeOf = (name: string): string => {
    if (!apart) return cache;
    return join(cache, disposable ? name : `home-${parseHostName(name)?.index ?? name}`);
  };
  if (apart && disposable) {
    mkdirSync(cache, { recursive: true });
    for (const name of readdirSync(cache)) there.set(name, { id: name, name });
  }
  const cut = (name?: string) => {
    for (const link of links) if (name === undefined || link.name === name) link.cut();
  };
  const raze = async (name: string) => {
    cut(name);
    const home = homeOf(name);
    await until(`nothing runs in ${home}`, () => {
      const pids = processesOf(home);
      pids.forEach(kill);
      return pids.length === 0;
    });
    await rm(home, { recursive: true, force: true });
  };
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
    cut,
    kill: async (name) => {
      if (!apart) throw new TypeError("hosts that share a home cannot be killed one by one");
      there.delete(name);
      await raze(name);
    },
    leftovers: async () => {
      const names = await readdir(cache).catch(() => []);
      const folders = await Promise.all(names.map(async (name) => {
        const found = await readdir(join(cache, name, "sidecanary")).catch(() => []);
        return found.map((each) => join(name, "sidecanary", each));
      }));
      const pids = names.flatMap((name) => processesOf(join(cache, name)));
      const processes = pids.flatMap((pid) => {
        const line = readProc(pid, "cmdline");
        return line === "" ? [] : [`${pid} ${line.replaceAll("\0", " ").trim().slice(0, 200)}`];
      });
      return { processes, folders: folders.flat() };
    },
    find: (name) => Promise.resolve(there.get(name)),
    create: async (spec) => {
      asked.push(spec);
      hosts.onCreate(spec, "before");
      const ref = { id: spec.name, name: spec.name };
      there.set(spec.name, ref);
      if (apart) await mkdir(homeOf(spec.name), { recursive: true });
      hosts.onCreate(spec, "after");
      return await Promise.resolve(ref);
    },
    connect: async ({ name }): Promise<Host> => {
      // A machine of the user's own outlives what we had on it.
      const isForGood = apart && !disposable;
      if (!there.has(name) && !isForGood) {
        throw hostFailed(`${name} is gone`, { host: name, fault: "gone", kind: "never" });
      }
      const home = homeOf(name);
      await mkdir(home, { recursive: true });
      const own = apart ? homeEnv(home) : { XDG_CACHE_HOME: home };
      const host = shellHost({ name, env: { ...env, ...own } });
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
      if (apart && disposable) return await raze(ref.name);
      // Only where nothing was left in it.
      if (there.size === 0) {
        await rmdir(join(homeOf(ref.name), "sidecanary")).catch(() => {});
      }
    },
    close: () => Promise.resolve(),
  };
  return hosts;
}

function processesOf(home: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => readProc(pid, "environ").split("\0").includes(`${MARK}=${home}`));
}

/** Nothing where the process has ended meanwhile, or is somebody else's. */
function readProc(pid: number, file: "environ" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
