import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import type { FileChange } from "../../../runtime/sidecars/provider.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { liveTree } from "../../kit/live-tree.ts";
import { treeDigest } from "../../kit/tree-digest.ts";
import { gone, options } from "../sandbox-contract.ts";
import { remoteTree } from "./remote-tree.ts";

const never = new AbortController().signal;
const test = suite("revert");

const paths = [
  "src/a.txt",
  "src/b.txt",
  "src/deep/c.txt",
  "run.sh",
  "new",
  "new/inner",
  "o dd/\xff\x81\x88 '\"\\\n",
  "src",
  "link",
];
const bytes = fc.uint8Array({ maxLength: 300 });
const change: fc.Arbitrary<FileChange> = fc.oneof(
  fc.record({
    path: fc.constantFrom(...paths),
    mode: fc.constantFrom("100644" as const, "100755" as const),
    bytes,
  }),
  fc.record({
    path: fc.constantFrom(...paths),
    mode: fc.constant("120000" as const),
    bytes: fc.constantFrom(Buffer.from("src/a.txt"), Buffer.from("\xff no where", "latin1")),
  }),
  fc.constantFrom(...paths).map(gone),
);
const commands = [
  "rm -rf src run.sh",
  "echo x >> src/a.txt; chmod 755 src/b.txt",
  "mkdir -p build/deep/empty; echo y > build/out; ln -s /nowhere src/dangling",
  "rm -rf * .[a-z]*",
  "rm -rf src; echo file > src",
  "rm run.sh; mkdir run.sh; echo z > run.sh/z",
  "rm src/a.txt; ln -s b.txt src/a.txt",
  "git init -q . && git init -q nested && echo n > nested/n",
  "chmod 0 src; mkfifo pipe; mkdir closed && echo c > closed/c && chmod 0 closed",
  "touch -t 200001010000 src/*; cp -p src/a.txt src/b.txt",
  "mv src moved && mkdir src",
  "rmdir empty; chmod 700 kept; echo '* -text' > .gitattributes; echo '*' > .gitignore",
  "true",
];

for (const lanes of ["warm", "any"] as const) {
  test(`any changes and commands leave a ${lanes} lane as it was`, async () => {
    const tree = await liveTree();
    mkdirSync(join(tree.checkout, "l"));
    writeFileSync(join(tree.checkout, "l", "crlf"), "a\r\nb");
    symlinkSync("src", join(tree.checkout, "link"));
    const { provider: make } = await remoteTree(tree, {
      lanes,
      setup: {
        command:
          "mkdir -p empty kept/in node_modules/x; git init -q node_modules/x; echo i > node_modules/x/i; chmod 750 kept",
        lockFiles: [],
      },
    });
    const provider = make();
    try {
      const sidecar = await provider.create({ worker: 0 }, never);
      let number = 0;
      const look = async () => {
        const sandbox = await sidecar.open(undefined, never);
        const copy = join(tree.base, `look${number++}`);
        const result = await sandbox.run(`cp -a . '${copy}'`, options());
        assert.is(result.kind === "exit" && result.code, 0, JSON.stringify(result));
        await sandbox.close();
        return await treeDigest(copy, { folders: true });
      };
      const first = await look();
      await check(
        fc.asyncProperty(
          fc.array(change, { maxLength: 5 }).map(valid),
          fc.array(fc.constantFrom(...commands), { maxLength: 2 }),
          async (files, scripts) => {
            const sandbox = await sidecar.open(
              files.length === 0 ? undefined : { id: "v", files },
              never,
            );
            for (const script of scripts) await sandbox.run(script, options());
            await sandbox.close();
            assert.equal(await look(), first);
          },
        ),
        { numRuns: 20 },
      );
      assert.is(readdirSync(tree.scratch).length, 1);
    } finally {
      await provider.close();
    }
  }, { timeoutMs: 90_000 });
}

/** Each path once, no path below another's file, and nothing left of a folder that becomes a file. */
function valid(files: readonly FileChange[]): FileChange[] {
  const known = ["src/a.txt", "src/b.txt", "src/deep/c.txt", "run.sh", "link", "l/crlf"];
  const chosen = new Map<string, FileChange>();
  for (const file of files) {
    const clash = [...chosen.values()].some((other) =>
      other.mode !== "deleted" && file.mode !== "deleted" &&
      (other.path.startsWith(`${file.path}/`) || file.path.startsWith(`${other.path}/`))
    );
    if (clash || (file.mode === "deleted" && !known.includes(file.path))) continue;
    chosen.set(file.path, file);
  }
  for (const file of [...chosen.values()]) {
    if (file.mode === "deleted") continue;
    for (const path of known) {
      if (!path.startsWith(`${file.path}/`)) continue;
      if (chosen.get(path)?.mode !== undefined && chosen.get(path)?.mode !== "deleted") {
        chosen.delete(file.path);
      } else if (!chosen.has(path)) chosen.set(path, gone(path));
    }
    // A file's folder cannot be a file of the payload.
    for (const path of known) {
      if (file.path.startsWith(`${path}/`)) chosen.set(path, gone(path));
    }
  }
  return [...chosen.values()];
}
