import { execFile, spawn } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";

/**
 * Lays what is in `from` over `to`, with times, modes and owners. A file that this process may not
 * read becomes an empty one that nobody may; such a directory is left out.
 *
 * @param reflink whether blocks have to be shared
 */
export async function copyOver(from: string, to: string, reflink: boolean): Promise<void> {
  if (process.platform === "darwin") {
    await command(["cp", ...(reflink ? ["-c"] : []), "-pPR", `${from}/.`, to]);
    return;
  }
  const how = reflink ? "always" : "auto";
  const cp = ["cp", "-a", `--reflink=${how}`, "--remove-destination"];
  try {
    await command([...cp, `${from}/.`, to]);
  } catch (error) {
    const closed = await find(from, [...CLOSED, "-print0"]);
    if (closed.length === 0) throw error;
    const files = await find(from, [...CLOSED, "-type", "f", "-print0"]);
    const open = await find(from, [
      ...CLOSED,
      "-o",
      "(",
      "!",
      "-type",
      "d",
      "-o",
      "-empty",
      ")",
      "-print0",
    ]);
    await overPaths([...cp, "--parents", "-t", to, "--"], from, open);
    await removePaths(to, closed);
    await overPaths(["sh", "-c", STAND_INS, "sh"], to, files);
  }
}

/** What this process may not read, for find: links themselves can always be read. */
const CLOSED = [
  ...["(", "-type", "f", "!", "-readable", "-o"],
  ...["-type", "d", "(", "!", "-readable", "-o", "!", "-executable", ")", ")", "-prune"],
];

const STAND_INS =
  'set -e; umask 077; for file; do mkdir -p -- "${file%/*}"; : > "$file"; chmod 0 "$file"; done';

/** The paths below `dir` that GNU find prints, as byte strings. */
async function find(dir: string, expression: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)("find", [".", "-mindepth", "1", ...expression], {
    cwd: dir,
    encoding: "latin1",
    maxBuffer: Infinity,
  });
  return stdout.split("\0").slice(0, -1).map((path) => path.slice("./".length));
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
