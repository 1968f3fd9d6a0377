import { Buffer } from "node:buffer";
import type { Change, FileChange } from "../sidecars/provider.ts";
import type { ChangedFile } from "../sync/tree-hash.ts";
import type { Plan } from "./plan.ts";

/** The ways in which the control breaks the payload, tried in this order until one is noticed. */
export const BREAKAGES = ["garbage", "deleted"] as const;

/** One of {@link BREAKAGES}. */
export type Breakage = typeof BREAKAGES[number];

/** No language, data format or configuration takes this, and no text is equal to it. */
const GARBAGE = Buffer.from(
  "<<<<<<< sidecanary broke this file on purpose: the tests must fail {[(\"'`\n)]}>>>>>>>\n",
);

const SYMLINK = 0o120000;

/**
 * A payload that the tests must not pass: every file that any variant touches is garbage, or gone.
 * Tests that do not notice do not look at what the variants change, and say nothing about them.
 */
export function brokenPayload(plan: Plan, breakage: Breakage): Change {
  const touched = new Map<string, ChangedFile>();
  for (const { changed } of plan.runs.values()) {
    for (const file of changed) {
      const known = touched.get(file.path);
      if (known === undefined || known.oid === null) touched.set(file.path, file);
    }
  }
  const files = [...touched.values()].map(({ path, mode }): FileChange => {
    if (breakage === "deleted") return { path, mode: "deleted" };
    if (mode === SYMLINK) return { path, mode: "120000", bytes: Buffer.from("broken/by/control") };
    return { path, mode: mode & 0o100 ? "100755" : "100644", bytes: GARBAGE };
  });
  return { id: `control-${breakage}`, files: withoutNested(files) };
}

/** One variant may make a folder where another one has a file: the file stays. */
function withoutNested(files: readonly FileChange[]): FileChange[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.filter(({ path }) => {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      if (paths.has(path.slice(0, at))) return false;
    }
    return true;
  });
}
