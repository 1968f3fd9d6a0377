import { spawn } from "node:child_process";
import process from "node:process";

/**
 * Lays what is in `from` over `to`, with times, modes and owners.
 *
 * @param reflink whether blocks have to be shared
 */
export async function copyOver(from: string, to: string, reflink: boolean): Promise<void> {
  if (process.platform === "darwin") {
    await command(["cp", ...(reflink ? ["-c"] : []), "-pPR", `${from}/.`, to]);
    return;
  }
  const how = reflink ? "always" : "auto";
  await command(["cp", "-a", `--reflink=${how}`, "--remove-destination", `${from}/.`, to]);
}

/** Copies `paths`, byte strings, from one directory to the other, over what is there. */
export async function copyPaths(from: string, to: string, paths: readonly string[]): Promise<void> {
  const cp = ["cp", "-a", "--parents", "--reflink=auto", "--remove-destination"];
  await overPaths([...cp, "-t", to, "--"], from, paths);
}

/** Removes `paths`, byte strings, below `dir`. */
export async function removePaths(dir: string, paths: readonly string[]): Promise<void> {
  await overPaths(["rm", "-rf", "--"], dir, paths);
}

/** Runs `argv` in `cwd` with `paths`, byte strings, as further arguments. */
export async function overPaths(
  argv: readonly string[],
  cwd: string,
  paths: readonly string[],
): Promise<void> {
  if (paths.length === 0) return;
  const input = Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1");
  await command(["xargs", "-0", ...argv], cwd, input);
}

async function command(argv: readonly string[], cwd?: string, input?: Uint8Array): Promise<void> {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ["pipe", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on(
    "data",
    (text: string) => stderr = (stderr + text).slice(-4_096),
  );
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ended with ${code ?? signal}: ${stderr.trim()}`));
    });
  });
}
