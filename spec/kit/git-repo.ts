import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { tempDir } from "./temp-dir.ts";

/** A folder with a real repository in it, or to be made in it. */
export interface GitRepo {
  readonly dir: string;
  /** A folder around it that is nobody's repository. */
  readonly base: string;
  /** Runs a bash script in `dir`, stops at its first error and answers what it printed. */
  readonly sh: (script: string) => Promise<string>;
}

/**
 * Makes a folder and runs a bash script in it, which may use git: the identity and the dates are
 * fixed, the configuration of the machine's user does not count. Where `script` has no `git init`,
 * the folder has no repository.
 */
export async function gitRepo(script: string): Promise<GitRepo> {
  const base = await tempDir();
  const dir = join(base, "project");
  const repo = { base, dir, sh: (text: string) => bash(dir, text) };
  await bash(base, "mkdir project");
  await repo.sh(script);
  return repo;
}

/** For the code under test as for the scripts: no configuration of the machine. */
const CONFIG = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
Object.assign(process.env, CONFIG);

function bash(cwd: string, script: string): Promise<string> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: cwd,
    LC_ALL: "C",
    ...CONFIG,
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.org",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.org",
    GIT_AUTHOR_DATE: "1000000000 +0000",
    GIT_COMMITTER_DATE: "1000000000 +0000",
  };
  return new Promise((resolve, reject) => {
    const options = { cwd, env, maxBuffer: 1 << 26 };
    execFile("bash", ["-euo", "pipefail", "-c", script], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stderr}`));
    });
  });
}
