import type { Actions } from "../../runtime/cli/program.ts";

/** Actions of a program that is only looked at. */
export function idleActions(nothing: () => Promise<void>): Actions {
  return {
    variants: nothing,
    validate: nothing,
    sidecar: {
      create: nothing,
      list: nothing,
      exec: nothing,
      ssh: nothing,
      sync: nothing,
      destroy: nothing,
      prune: nothing,
      serve: nothing,
    },
    completion: nothing,
  };
}
