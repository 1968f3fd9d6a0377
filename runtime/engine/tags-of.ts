import type { KeptState } from "./actor-view.ts";
import type { Logic } from "./logic.ts";

/** The tags of the active states. */
export function tagsOf({ stepped }: Logic, { snapshot }: KeptState): readonly string[] {
  const resolved = stepped.resolveState({
    value: snapshot.value as never,
    context: snapshot.context as never,
  });
  return [...resolved.tags].sort();
}
