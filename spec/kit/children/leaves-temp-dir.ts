import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../temp-dir.ts";

// Prints its temporary directory and leaves in it what an overlay leaves.
const dir = await tempDir();
await mkdir(join(dir, "work/work"), { recursive: true });
await writeFile(join(dir, "work/work/file"), "text");
await chmod(join(dir, "work/work"), 0);
console.log(dir);
