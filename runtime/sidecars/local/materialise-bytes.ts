import { spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { FileChange } from "../provider.ts";
import type { MtimeLedger } from "./mtime-ledger.ts";
import { removeTree } from "./remove-tree.ts";

/**
 * The part of a change whose names or link targets are no UTF-8. Not every runtime can name such a
 * file, so a shell does; it reads the bytes from its standard input.
 *
 * @throws Error with the shell's words
 */
export async function materialiseBytes(
  dir: string,
  files: readonly FileChange[],
  ledger: MtimeLedger,
): Promise<void> {
  const stage = await mkdtemp(join(tmpdir(), "sidecanary-stage-"));
  try {
    const lines = [`set -e`, `cd -- ${quote(utf8Bytes(dir))}`];
    for (const file of files) if (file.mode === "deleted") lines.push(...removal(file.path));
    for (const [index, file] of files.entries()) {
      if (file.mode === "deleted") continue;
      const source = join(stage, String(index));
      await writeFile(source, file.bytes);
      lines.push(...placement(file, quote(utf8Bytes(source)), ledger));
    }
    await shell(lines.join("\n"));
  } finally {
    await removeTree(stage);
  }
}

function removal(path: string): string[] {
  const lines = [`rm -f -- ${quote(`./${path}`)}`];
  for (const parent of parentsOf(path).reverse()) {
    lines.push(`rmdir -- ${quote(`./${parent}`)} 2>/dev/null || :`);
  }
  return lines;
}

function placement(
  file: Exclude<FileChange, { readonly mode: "deleted" }>,
  source: string,
  ledger: MtimeLedger,
): string[] {
  const target = quote(`./${file.path}`);
  const lines: string[] = [];
  for (const parent of parentsOf(file.path)) {
    const quoted = quote(`./${parent}`);
    lines.push(
      `[ -d ${quoted} ] && [ ! -L ${quoted} ] || { rm -f -- ${quoted}; mkdir -- ${quoted}; }`,
    );
  }
  // The time that the path shows now is not known here: far enough ahead of this moment instead.
  const time = ledger.next(file.path, Date.now() / 1000);
  lines.push(`rm -rf -- ${target}`);
  if (file.mode === "120000") {
    const link = quote(Buffer.from(file.bytes).toString("latin1"));
    lines.push(
      `ln -s -- ${link} ${target}`,
      `[ "$(readlink -n -- ${target}; echo x)" = ${link}x ]`,
    );
  } else {
    lines.push(`cat < ${source} > ${target}`, `cmp -s -- ${source} ${target}`);
    if (file.mode === "100755") lines.push(`chmod +x -- ${target}`);
  }
  lines.push(`touch -h -d @${time} -- ${target}`);
  return lines;
}

function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function quote(bytes: string): string {
  return `'${bytes.replaceAll("'", `'\\''`)}'`;
}

function utf8Bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

async function shell(script: string): Promise<void> {
  const child = spawn("sh", ["-s"], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.stdin.on("error", () => {});
  child.stdin.end(Buffer.from(script, "latin1"));
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`sh ended with ${code ?? signal}: ${stderr.trim()}`));
    });
  });
}
