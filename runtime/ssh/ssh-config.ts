import { execFile } from "node:child_process";
import { hostname, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { hostFailed } from "../sidecars/host-failed.ts";
import { readSshConfig } from "./read-ssh-config.ts";

/** Which host is asked about, and of whose configuration. */
export interface SshConfigQuery {
  /** As the user says it: a name, an address, a `Host` of the configuration. */
  readonly host: string;
  /** @default what the configuration says, else the local user */
  readonly user?: string;
  /** @default what the configuration says, else 22 */
  readonly port?: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /**
   * A file in place of the user's and the system's configuration.
   * @default both of them
   */
  readonly configFile?: string;
  /**
   * The program that knows its own configuration best.
   * @default "ssh"
   */
  readonly program?: string;
  readonly signal: AbortSignal;
}

/** What ssh's configuration says of one host. Paths are absolute. */
export interface SshSettings {
  readonly hostName: string;
  readonly user: string;
  readonly port: number;
  /** In the order in which they are tried; they need not exist. */
  readonly identityFiles: readonly string[];
  /** Whether keys of the agent are used only where a file of {@link identityFiles} names them. */
  readonly identitiesOnly: boolean;
  /** The agent's socket; `undefined` for no agent. */
  readonly agent: string | undefined;
  /** The hosts to go through, in order. */
  readonly proxyJump: readonly string[];
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  /** What the host is known by in those files, in place of name and port. */
  readonly hostKeyAlias: string | undefined;
  /** `no` and `off` count as `accept-new`: a key that has changed is never accepted. */
  readonly strictHostKeyChecking: "yes" | "accept-new";
  readonly hashKnownHosts: boolean;
  readonly connectTimeoutMs: number | undefined;
}

const DEFAULT_IDENTITIES = ["id_rsa", "id_ecdsa", "id_ed25519"].map((name) => `~/.ssh/${name}`);

/**
 * What the user's ssh would do for a host: `ssh -G`; where there is no ssh, the files are read here,
 * and what cannot be told without ssh is an error.
 *
 * @throws SidecanaryError `host-failed` with the fault `config` where the configuration is malformed,
 *   or asks for what is not supported (ProxyCommand)
 * @throws the signal's reason when aborted
 */
export async function sshSettings(query: SshConfigQuery): Promise<SshSettings> {
  const values = await askSsh(query) ?? await readSshConfig(query);
  return interpret(query, values);
}

/** Values by keyword in small letters. `undefined` where there is no such program. */
async function askSsh(query: SshConfigQuery): Promise<ReadonlyMap<string, string[]> | undefined> {
  const { host, user, port, configFile, program = "ssh", signal, env } = query;
  signal.throwIfAborted();
  const args = [
    "-G",
    ...(configFile === undefined ? [] : ["-F", configFile]),
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    "--",
    host,
  ];
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    const options = { env: { ...env }, signal, timeout: 30_000, maxBuffer: 1 << 20 };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (signal.aborted) return reject(signal.reason as Error);
      if (error.code === "ENOENT") return resolve(undefined);
      reject(refused(host, `ssh does not take its configuration for ${host}: ${stderr.trim()}`));
    });
    child.stdin?.end();
  });
  if (answer === undefined) return undefined;
  const values = new Map<string, string[]>();
  for (const line of answer.split(/\r?\n/)) {
    const [, keyword, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (keyword === undefined || value === undefined) continue;
    values.set(keyword, [...values.get(keyword) ?? [], value]);
  }
  return values;
}

function interpret(query: SshConfigQuery, values: ReadonlyMap<string, string[]>): SshSettings {
  const { env, home } = query;
  const first = (keyword: string) => values.get(keyword)?.[0];
  const given = (keyword: string) => first(keyword) === "none" ? undefined : first(keyword);
  if (given("proxycommand") !== undefined) {
    throw refused(
      query.host,
      `ssh's configuration reaches ${query.host} by a ProxyCommand, which is not supported. ` +
        "Use ProxyJump for it, or open a port with ssh -L and name that one",
    );
  }
  const user = query.user ?? first("user") ?? userInfo().username;
  const port = query.port ?? Number(first("port") ?? 22);
  const hostName = expand(first("hostname") ?? query.host, { h: query.host });
  const alias = given("hostkeyalias");
  const tokens = {
    d: home,
    h: hostName,
    i: String(userInfo().uid),
    k: alias ?? query.host,
    l: hostname(),
    n: query.host,
    p: String(port),
    r: user,
    u: userInfo().username,
  };
  const path = (text: string) => absolute(expand(text, tokens, env), home);
  const paths = (keyword: string, defaults: readonly string[]) =>
    (values.get(keyword) ?? defaults).flatMap(splitPaths).filter((each) => each !== "none").map(
      path,
    );
  const strict = first("stricthostkeychecking") ?? "ask";
  const timeout = Number(given("connecttimeout") ?? 0);
  return {
    hostName,
    user,
    port,
    identityFiles: [
      ...new Set(
        (values.get("identityfile") ?? DEFAULT_IDENTITIES)
          .filter((each) => each !== "none").map(path),
      ),
    ],
    identitiesOnly: first("identitiesonly") === "yes",
    agent: agentOf(first("identityagent"), env, path),
    proxyJump: (given("proxyjump") ?? "").split(",").map((each) => each.trim()).filter(Boolean),
    userKnownHostsFiles: paths("userknownhostsfile", [
      "~/.ssh/known_hosts",
      "~/.ssh/known_hosts2",
    ]),
    globalKnownHostsFiles: paths("globalknownhostsfile", [
      "/etc/ssh/ssh_known_hosts",
      "/etc/ssh/ssh_known_hosts2",
    ]),
    hostKeyAlias: alias,
    // `ssh -G` of different ages prints "no" as "false" and "yes" as "true".
    strictHostKeyChecking: ["accept-new", "no", "off", "false"].includes(strict)
      ? "accept-new"
      : "yes",
    hashKnownHosts: first("hashknownhosts") === "yes",
    connectTimeoutMs: timeout > 0 ? timeout * 1000 : undefined,
  };
}

function agentOf(
  value: string | undefined,
  env: SshConfigQuery["env"],
  path: (text: string) => string,
): string | undefined {
  if (value === "none") return undefined;
  if (value === undefined || value === "SSH_AUTH_SOCK") return env["SSH_AUTH_SOCK"] || undefined;
  if (value.startsWith("$") && !value.startsWith("${")) return env[value.slice(1)] || undefined;
  return path(value);
}

/** ssh prints several paths in one line without quotes: what does not begin like a path goes on one. */
function splitPaths(text: string): string[] {
  const found: string[] = [];
  for (const word of text.split(" ")) {
    const starts = found.length === 0 || /^[/~$%]/.test(word) || word === "none";
    if (starts) found.push(word);
    else found.push(`${found.pop() ?? ""} ${word}`);
  }
  return found;
}

/** The tokens of ssh_config(5) that name one thing, and `${NAME}` of the environment. */
function expand(
  text: string,
  tokens: Readonly<Record<string, string>>,
  env: SshConfigQuery["env"] = {},
): string {
  return text.replace(/%(.)|\$\{(\w+)\}/g, (whole, token?: string, name?: string) => {
    if (token === "%") return "%";
    return (token === undefined ? env[name ?? ""] : tokens[token]) ?? whole;
  });
}

function absolute(path: string, home: string): string {
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  return isAbsolute(path) ? path : join(home, ".ssh", path);
}

function refused(host: string, message: string, cause?: unknown): Error {
  return hostFailed(message, { host, fault: "config", kind: "never" }, cause);
}
