import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { Place } from "../cli/cli-kit.ts";
import { until } from "../kit/processes.ts";
import { type MadeKey, makeKey, startSshd } from "../kit/sshd.ts";
import { tempDir } from "../kit/temp-dir.ts";

/** A machine that is reached by OpenSSH's sshd, and whose user has a home of their own. */
export interface SshMachine {
  /** `ssh://user@127.0.0.1:port` */
  readonly target: string;
  readonly home: string;
  /** A line for known_hosts. */
  readonly known: string;
  /**
   * Everything of ours that is there: folders, processes, mounts, sessions. The naps of watchers that
   * were ended last for a second more, and are waited for.
   */
  leftovers(): Promise<string[]>;
  stop(): Promise<void>;
}

/** A user of the machine who is not root. */
const WALKER = { name: "walker", id: 23_456 };

/**
 * Starts a machine. `walker` logs in as an unprivileged user, which needs root here.
 *
 * @throws Error where there is no sshd
 */
export async function sshMachine(
  key: MadeKey,
  { user = "own", overlays = true }: {
    readonly user?: "own" | "walker";
    /** Whether there is an `unshare` that works; without it lanes are put back after each variant. */
    readonly overlays?: boolean;
  } = {},
): Promise<SshMachine> {
  const home = await tempDir();
  const mark = `SIDECANARY_SPEC_MACHINE=${randomBytes(8).toString("hex")}`;
  const walks = user === "walker";
  if (walks) await chown(home, WALKER.id, WALKER.id);
  const passwd = `${readFileSync("/etc/passwd", "utf8").trimEnd()}\n` +
    `${WALKER.name}:*:${WALKER.id}:${WALKER.id}::${home}:/bin/sh\n`;
  const path = overlays ? "" : `PATH=${await without("unshare")}:${process.env["PATH"]}`;
  const server = await startSshd({
    authorizedKeys: [key.publicLine],
    config: [`SetEnv HOME=${home} ${mark} ${path}`],
    ...(walks ? { etc: { passwd } } : {}),
  });
  return {
    target: `ssh://${walks ? WALKER.name : server.user}@127.0.0.1:${server.port}`,
    home,
    known: server.knownHosts(),
    leftovers: async () => {
      const naps = () => processesOf(mark).filter((each) => each.endsWith(": sleep 1 "));
      await until("the last naps are over", () => naps().length === 0);
      return [
        ...below(join(home, ".cache", "sidecanary")),
        ...processesOf(mark),
        ...mountsBelow(home),
        ...server.sessions().map((pid) => `session ${pid}`),
      ];
    },
    stop: server.stop,
  };
}

/** Makes the user of a place know machines and have a key for them. */
export async function introduce(
  { dir, env }: Place,
  key: MadeKey,
  machines: readonly SshMachine[],
): Promise<Place> {
  const home = env["HOME"] ?? "";
  const bin = join(home, "bin"), config = join(home, ".ssh", "config");
  await mkdir(dirname(config), { mode: 0o700 });
  const known = join(home, ".ssh", "known_hosts");
  await writeFile(known, machines.map(({ known }) => known).join(""));
  await writeFile(
    config,
    `Host *\n  UserKnownHostsFile ${known}\n  IdentityFile ${key.path}\n  IdentitiesOnly yes\n`,
  );
  // ssh takes the home of /etc/passwd, whatever $HOME says.
  await mkdir(bin);
  await writeFile(join(bin, "ssh"), `#!/bin/sh\nexec ${await findSsh()} -F ${config} "$@"\n`);
  await chmod(join(bin, "ssh"), 0o755);
  return { dir, env: { ...env, PATH: `${bin}:${process.env["PATH"]}` } };
}

async function findSsh(): Promise<string> {
  const { stdout } = await promisify(execFile)("sh", ["-c", "command -v ssh"]);
  return stdout.trim();
}

/** A key that every machine of a spec file takes. */
export function userKey(): Promise<MadeKey> {
  return makeKey("ed25519");
}

/** A folder for the beginning of `$PATH` with a program that fails. */
async function without(program: string): Promise<string> {
  const dir = await tempDir();
  await writeFile(join(dir, program), "#!/bin/sh\nexit 1\n");
  await chmod(join(dir, program), 0o755);
  await chmod(dir, 0o755);
  return dir;
}

function below(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).map((name) => join(dir, name)) : [];
}

/** The processes with a variable in their environment. */
export function processesOf(variable: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable)) return [];
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      return [`${pid}: ${line}`];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

function mountsBelow(dir: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n")
    .filter((line) => line.split(" ")[4]?.startsWith(`${dir}/`));
}
