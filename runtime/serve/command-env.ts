import process from "node:process";
import { type Exposed, isWithin } from "./exposed.ts";

const STANDARD_PATH = [
  ...["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
];

/** The server's own `$PATH`, as far as an instance sees it, and the system's directories. */
export function commandPath(exposed: readonly Exposed[]): string {
  const own = (process.env["PATH"] ?? "").split(":").filter((dir) =>
    exposed.some((each) => isWithin(dir, each.path))
  );
  return [...new Set([...own, ...STANDARD_PATH])].join(":");
}

/** The whole environment of a command: nothing of the server's own, which holds tokens. */
export function commandEnv(
  path: string,
  places: { readonly home: string; readonly tmp: string },
): Record<string, string> {
  return {
    PATH: path,
    HOME: places.home,
    USER: "user",
    LOGNAME: "user",
    SHELL: "/bin/sh",
    TMPDIR: places.tmp,
    LANG: "C.UTF-8",
  };
}
