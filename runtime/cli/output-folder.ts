import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SidecanaryError } from "../errors.ts";
import type { CampaignReport } from "../variants/report.ts";
import type { Variant } from "../variants/variant.ts";

/** Says whose the folder is. A `.gitignore` of `*` keeps it out of the payload and of commits. */
const MARKER = ".sidecanary-output";

/**
 * Makes a folder for the report, or empties one that an earlier run made.
 *
 * @throws SidecanaryError `usage` where it holds what is not ours
 */
export async function prepareOutput(folder: string): Promise<void> {
  const names = await list(folder);
  if (names.length > 0 && !names.includes(MARKER)) {
    throw new SidecanaryError(
      "usage",
      `Cannot write to "${folder}": it is not empty, and no earlier run made it. Give another folder`,
      { option: "--output" },
    );
  }
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARKER), "Written by sidecanary, which may overwrite it.\n");
  await writeFile(join(folder, ".gitignore"), "*\n");
}

/** Writes `report.json`, and the patch of each survivor below `survivors/`. */
export async function writeOutput(
  folder: string,
  report: CampaignReport,
  variants: readonly Variant[],
): Promise<void> {
  await writeFile(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  const survived = new Set(
    report.results.filter(({ status }) => status === "survived").map(({ id }) => id),
  );
  const patches = variants.filter(({ id }) => survived.has(id));
  if (patches.length > 0) await mkdir(join(folder, "survivors"), { recursive: true });
  for (const [index, { id, patch, patchEncoding }] of patches.entries()) {
    const name = `${String(index + 1).padStart(3, "0")}-${slug(id)}.patch`;
    await writeFile(join(folder, "survivors", name), patch, patchEncoding ?? "utf8");
  }
}

/** A part of a file name, which two ids may share: the number before it tells them apart. */
function slug(id: string): string {
  return id.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) ||
    "variant";
}

async function list(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    if (names.includes(MARKER)) await readFile(join(folder, MARKER));
    return names;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new SidecanaryError(
      "usage",
      `Cannot write to "${folder}": ${message}`,
      { option: "--output" },
      error,
    );
  }
}
