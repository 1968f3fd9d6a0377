import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { SidecanaryError } from "../../errors.ts";

const TEMPLATE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/**
 * A command of `.chunk/config.json` with `{{CHANGED_PACKAGES}}` replaced by the Go packages whose
 * tracked files differ from HEAD, or by `./...` where none does. Left in, it would fail every variant.
 *
 * @param folder where the command runs
 * @throws SidecanaryError `config-invalid` for any other template
 */
export function expandTemplates(run: string, folder: string, path: string, name: string): string {
  return run.replace(TEMPLATE, (whole, template: string) => {
    if (template === "CHANGED_PACKAGES") return changedPackages(folder).map(quote).join(" ");
    throw new SidecanaryError(
      "config-invalid",
      `${path}: command "${name}" holds the template ${whole}, which is not known: only ` +
        "{{CHANGED_PACKAGES}} is. Give the command with --command in its place",
      { path, field: `commands.${name}.run` },
    );
  });
}

function changedPackages(folder: string): readonly string[] {
  const names = git(folder, ["diff", "HEAD", "--relative", "--name-only", "-z", "--", "*.go"]);
  const folders = names.split("\0").filter((name) => name !== "").map((name) => posix.dirname(name))
    .filter((name) => existsSync(join(folder, name)))
    .map((name) => name === "." ? "." : `./${name}`);
  return folders.length === 0 ? ["./..."] : [...new Set(folders)].sort();
}

function git(folder: string, args: readonly string[]): string {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 28,
    });
  } catch (error) {
    const { status, stderr } = error as { status?: number | null; stderr?: string };
    throw new SidecanaryError(
      "git-failed",
      `Cannot expand {{CHANGED_PACKAGES}}: git ${args.join(" ")} failed: ${(stderr ?? "").trim()}`,
      { args, exitCode: status ?? null, stderr: stderr ?? "" },
      error,
    );
  }
}

function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
