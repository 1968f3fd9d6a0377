import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../temp-dir.ts";

// Prints its temporary directory and leaves in it what an overlay leaves.
const dir = await tempDir();
const inner = join(dir, "work", "work");
await mkdir(inner, { recursive: true });
await writeFile(join(inner, "file"), "text");
await chmod(inner, 0);
console.log(dir);
