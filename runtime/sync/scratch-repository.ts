import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Settings that keep every byte as it is and nothing waiting for the disk. */
const CONFIG = `[core]
	repositoryformatversion = 0
	bare = true
	fileMode = true
	symlinks = true
	ignoreCase = false
	precomposeUnicode = false
	protectNTFS = false
	protectHFS = false
	autocrlf = false
	safecrlf = false
	eol = lf
	checkStat = default
	trustctime = true
	fsmonitor = false
	untrackedCache = false
	splitIndex = false
	compression = 0
	fsync = none
	hooksPath = /dev/null
	attributesFile = /dev/null
	quotePath = false
[index]
	version = 2
	sparse = false
[feature]
	manyFiles = false
[gc]
	auto = 0
[maintenance]
	auto = false
[tar]
	umask = 0
`;

/**
 * `info/attributes` comes before every other source of attributes. A working-tree-encoding can only
 * be unspecified: git refuses it as false.
 */
const ATTRIBUTES =
  "* -text !eol !crlf -ident -filter !working-tree-encoding -export-ignore -export-subst\n";

/**
 * Makes an empty bare repository in `dir` that converts nothing, replacing what was there.
 */
export async function createScratchRepository(dir: string): Promise<string> {
  const gitDir = join(dir, "payload.git");
  await rm(gitDir, { recursive: true, force: true });
  await mkdir(join(gitDir, "objects", "pack"), { recursive: true });
  await mkdir(join(gitDir, "objects", "info"), { recursive: true });
  await mkdir(join(gitDir, "refs", "heads"), { recursive: true });
  await mkdir(join(gitDir, "info"), { recursive: true });
  await writeFile(join(gitDir, "HEAD"), "ref: refs/heads/payload\n");
  await writeFile(join(gitDir, "config"), CONFIG);
  await writeFile(join(gitDir, "info", "attributes"), ATTRIBUTES);
  await writeFile(join(gitDir, "info", "exclude"), "");
  return gitDir;
}
