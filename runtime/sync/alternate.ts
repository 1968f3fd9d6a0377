/** A path in `GIT_ALTERNATE_OBJECT_DIRECTORIES`, a list that `:` separates, quoted as git reads it. */
export function alternate(path: string): string {
  return `"${path.replace(/["\\]/g, "\\$&")}"`;
}
