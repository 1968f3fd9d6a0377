import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./processes.ts";
import { tempDir } from "./temp-dir.ts";

/** Types of host keys and of users' keys, as `ssh-keygen -t` names them. */
export type KeyTypeName = "ed25519" | "ecdsa" | "rsa";

/** A key made by ssh-keygen. */
export interface MadeKey {
  /** The private key's file. */
  readonly path: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly publicLine: string;
}

/** How an sshd is started. */
export interface SshdOptions {
  /** @default ["ed25519"] */
  readonly hostKeys?: readonly KeyTypeName[];
  /** Lines of `authorized_keys`. @default [] */
  readonly authorizedKeys?: readonly string[];
  /** Further lines of `sshd_config`. @default [] */
  readonly config?: readonly string[];
  /**
   * Files over those of `/etc`, for this server alone; needs root. `"nologin"` keeps users out.
   * @default {}
   */
  readonly etc?: Readonly<Record<string, string>>;
}

/** A real sshd of OpenSSH on this machine. It ends with this process. */
export interface Sshd {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Who may log in: the user of this process. */
  readonly user: string;
  readonly dir: string;
  /** The public host keys. */
  readonly hostKeys: ReadonlyMap<KeyTypeName, MadeKey>;
  /** Lines for a known_hosts file, one a host key. */
  knownHosts(type?: KeyTypeName): string;
  /** What the server has logged, at level DEBUG1. */
  log(): string;
  /** The server's processes for connections, newest last. */
  sessions(): number[];
  /** Kills the server's processes for connections; what they run for users goes on. */
  cut(): void;
  /** Lets other keys in from now on. */
  authorize(...lines: string[]): Promise<void>;
  /** Ends the server and its connections. Idempotent. */
  stop(): Promise<void>;
}

const run = promisify(execFile);

/** Makes a key by ssh-keygen, encrypted where there is a passphrase. */
export async function makeKey(type: KeyTypeName, passphrase = ""): Promise<MadeKey> {
  const path = join(await tempDir(), `id_${type}`);
  const bits = type === "rsa" ? ["-b", "2048"] : [];
  const args = ["-q", "-t", type, ...bits, "-N", passphrase, "-C", "", "-f", path];
  await run("ssh-keygen", args);
  return { path, publicLine: (await readFile(`${path}.pub`, "utf8")).trim() };
}

/**
 * Starts an sshd on a free port of the loopback interface, with files of its own only.
 *
 * @throws Error with the server's log where it does not come up
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const { hostKeys = ["ed25519"], authorizedKeys = [], config = [], etc = {} } = options;
  const dir = await tempDir();
  // sshd reads authorized_keys as the user who logs in.
  await chmod(dir, 0o711);
  const keys = new Map<KeyTypeName, MadeKey>();
  for (const type of hostKeys) keys.set(type, await makeKey(type));
  const authorized = join(dir, "authorized_keys");
  const authorize = async (...lines: string[]) => {
    await writeFile(authorized, `${lines.join("\n")}\n`);
    await chmod(authorized, 0o644);
  };
  await authorize(...authorizedKeys);
  const logFile = join(dir, "log"), pidFile = join(dir, "pid");
  const log = () => readOr(logFile);
  const root = process.getuid?.() === 0;
  if (root) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  for (let attempt = 1;; attempt++) {
    const port = await freePort();
    const configFile = join(dir, "sshd_config");
    await writeFile(
      configFile,
      [
        // The first value of a keyword counts.
        ...config,
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        ...[...keys.values()].map(({ path }) => `HostKey ${path}`),
        `AuthorizedKeysFile ${authorized}`,
        `PidFile ${pidFile}`,
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "LogLevel DEBUG1",
        "PrintMotd no",
        "Subsystem sftp internal-sftp",
        "",
      ].join("\n"),
    );
    await writeFile(logFile, "");
    await rm(pidFile, { force: true });
    const files = await etcFiles(dir, etc);
    const child = await launch(configFile, logFile, files, dir);
    let ended = false;
    child.once("exit", () => ended = true);
    // The file with its number is written after it listens.
    await until("sshd listens or ends", () => {
      return ended || log().includes("Server listening on") && Number(readOr(pidFile)) > 1;
    });
    if (!ended) return server({ port, dir, keys, log, pidFile, authorize, child });
    if (attempt === 5) throw new Error(`sshd did not come up:\n${log()}`);
  }
}

/** Ends sshd when this process is gone, however it went: then standard input is at its end. */
const KEEPER = `
if [ -n "$ETC" ]; then
  mount -t overlay overlay -o "lowerdir=$ETC:/etc" /etc || exit 1
fi
exec 3<&0 2>/dev/null
"$@" </dev/null 3<&- & pid=$!
(cat <&3 >/dev/null; kill $pid) & reader=$!
exec 3<&-
wait $pid
kill $reader
exit 1`;

async function launch(
  configFile: string,
  logFile: string,
  etc: string,
  cwd: string,
): Promise<ChildProcess> {
  const sshd = await findSshd();
  const keeper = ["sh", "-c", KEEPER, "sh", sshd, "-D", "-f", configFile, "-E", logFile];
  const [program = "", ...args] = etc === "" ? keeper : ["unshare", "-m", ...keeper];
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ETC: etc },
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin?.on("error", () => {});
  return child;
}

async function findSshd(): Promise<string> {
  // It wants to be called by its whole path, and is seldom on an unprivileged user's $PATH.
  const where = `PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin" command -v sshd`;
  try {
    return (await run("sh", ["-c", where])).stdout.trim();
  } catch (error) {
    throw new Error("there is no sshd: install openssh-server", { cause: error });
  }
}

async function etcFiles(dir: string, files: Readonly<Record<string, string>>): Promise<string> {
  if (Object.keys(files).length === 0) return "";
  const etc = join(dir, "etc");
  await mkdir(etc, { recursive: true });
  await chmod(etc, 0o755);
  for (const [name, text] of Object.entries(files)) await writeFile(join(etc, name), text);
  return etc;
}

interface Started {
  readonly port: number;
  readonly dir: string;
  readonly keys: ReadonlyMap<KeyTypeName, MadeKey>;
  readonly log: () => string;
  readonly pidFile: string;
  readonly authorize: (...lines: string[]) => Promise<void>;
  readonly child: ChildProcess;
}

function server({ port, dir, keys, log, pidFile, authorize, child }: Started): Sshd {
  const own = Number(readOr(pidFile));
  // Children of nobody would be everybody's, and they are killed below.
  if (!(own > 1)) throw new Error(`sshd has not told its number: ${readOr(pidFile)}`);
  const exited = new Promise<void>((resolve) => {
    if (child.exitCode === null && child.signalCode === null) child.once("exit", () => resolve());
    else resolve();
  });
  const kill = (each: number) => {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  return {
    host: "127.0.0.1",
    port,
    user: userInfo().username,
    dir,
    hostKeys: keys,
    log,
    authorize,
    knownHosts: (type) =>
      [...keys].filter(([each]) => type === undefined || each === type)
        .map(([, { publicLine }]) => `[127.0.0.1]:${port} ${publicLine}\n`).join(""),
    sessions: () => childrenOf(own),
    cut: () => {
      // A connection has a second process where it belongs to another user than the server.
      const first = childrenOf(own);
      const second = first.flatMap(childrenOf).filter((pid) => {
        return /^sshd/.test(readOr(`/proc/${pid}/comm`));
      });
      for (const pid of [...first, ...second]) kill(pid);
    },
    stop: async () => {
      const sessions = childrenOf(own).flatMap((each) => [each, ...childrenOf(each)]);
      child.stdin?.end();
      kill(own);
      for (const each of sessions) kill(each);
      await exited;
    },
  };
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    const stat = readOr(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
  }).sort((a, b) => a - b);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
