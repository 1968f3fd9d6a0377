import { createHash } from "node:crypto";

/** Whose a warm sidecar is. Two scopes never share one. */
export type WarmScope =
  | { readonly kind: "name"; readonly name: string }
  /** The id of an agent's session: any text, also a hostile one. */
  | { readonly kind: "session"; readonly session: string }
  /** Nobody's session: one for the working tree and its branch. */
  | { readonly kind: "tree"; readonly root: string; readonly branch: string };

/** A scope as files, rows and names of hosts know it. */
export interface WarmKey {
  /** Hexadecimal digits; nothing of the scope's own text is in them. */
  readonly id: string;
  /** For people. */
  readonly title: string;
}

/** The key of a scope: a hash, as a session's id is a stranger's text. */
export function warmKey(scope: WarmScope): WarmKey {
  switch (scope.kind) {
    case "name":
      return { id: digest(["name", scope.name]), title: scope.name };
    case "session": {
      const id = digest(["session", scope.session]);
      return { id, title: `session-${id.slice(0, 8)}` };
    }
    case "tree":
      return {
        id: digest(["tree", scope.root, scope.branch]),
        title: scope.branch === "" ? "worktree" : `worktree on ${scope.branch}`,
      };
  }
}

/** What stands for a generation of a key in the names of hosts: at most 16 characters. */
export function runOf(key: string, generation: number): string {
  return `w${key}${(generation % 36 ** 4).toString(36)}`;
}

/** 11 digits, so that a name of a host has room for the generation. */
function digest(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 11);
}
