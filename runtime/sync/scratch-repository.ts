import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Settings of a bare repository that keep every byte as it is and nothing waiting for the disk. */
export const SCRATCH_CONFIG = `[core]
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
export const SCRATCH_ATTRIBUTES =
  "* -text !eol !crlf -ident -filter !working-tree-encoding -export-ignore -export-subst\n";

/**
 * Makes an empty bare repository in `dir` that converts nothing, replacing what was there.
 */
export async function createScratchRepository(dir: string): Promise<string> {
  const gitDir = join(dir, "payload.git");
  await rm(gitDir, { recursive: true, force: true });
  await writeScratchRepository(gitDir);
  return gitDir;
}

/** Makes a bare repository that converts nothing at `gitDir`; objects and refs in it stay. */
export async function writeScratchRepository(gitDir: string): Promise<void> {
  await mkdir(join(gitDir, "objects", "pack"), { recursive: true });
  await mkdir(join(gitDir, "objects", "info"), { recursive: true });
  await mkdir(join(gitDir, "refs", "heads"), { recursive: true });
  await mkdir(join(gitDir, "info"), { recursive: true });
  await writeFile(join(gitDir, "HEAD"), "ref: refs/heads/payload\n");
  await writeFile(join(gitDir, "config"), SCRATCH_CONFIG);
  await writeFile(join(gitDir, "info", "attributes"), SCRATCH_ATTRIBUTES);
  await writeFile(join(gitDir, "info", "exclude"), "");
}
