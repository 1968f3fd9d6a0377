import { join } from "node:path";
import { root } from "./root.ts";

/** The absolute path of `spec/fixtures/<name>`, from the sources as from the bundle. */
export function fixture(name: string): string {
  return join(root(), "spec", "fixtures", name);
}
