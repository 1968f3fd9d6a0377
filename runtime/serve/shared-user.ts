import { join } from "node:path";
import process from "node:process";
import { MarkedCell } from "../sidecars/local/marked-cell.ts";
import { startOf } from "../sidecars/local/owner.ts";
import { commandEnv } from "./command-env.ts";
import type { CellRequest, InstanceCell } from "./instance-cell.ts";

/**
 * Opens an instance that is a directory only: its processes are the server's user's, see everything
 * that user sees, and are found by a mark in their environment when they are ended.
 */
export function openShared({ id, dir }: CellRequest): Promise<InstanceCell> {
  const cell = new MarkedCell(markOf(id));
  const home = join(dir, "home");
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  const env = { ...commandEnv(path, { home, tmp: join(dir, "tmp") }), ...cell.env };
  return Promise.resolve({
    holder: 0,
    enter: (argv, further = {}) => {
      const [file = "", ...args] = argv;
      return { file, args, env: { ...env, ...further, ...cell.env }, cwd: home };
    },
    announces: false,
    adopt: (child) => cell.adopt(child),
    groupOf: ({ pid }) => pid !== undefined && startOf(pid) !== undefined ? pid : undefined,
    // Ended by end() only.
    ended: new Promise(() => {}),
    end: () => cell.end(),
  });
}

/** Ends what processes of an instance are left, where its server was killed. */
export async function endShared(id: string): Promise<void> {
  await new MarkedCell(markOf(id)).end();
}

function markOf(id: string): string {
  return `serve-${id}`;
}
