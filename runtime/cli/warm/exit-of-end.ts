import { constants } from "node:os";
import type { CommandEnd } from "../../warm/run-remote.ts";

/** The exit code for a command's end, as a shell would show it. */
export function exitOfEnd(end: CommandEnd): number {
  switch (end.kind) {
    case "exit":
      return end.code;
    case "signal":
      return 128 + (numberOf(end.name) ?? 0);
    case "timeout":
      return 124;
  }
}

/** What people should know of an end beside its code: the signal. */
export function noteOfEnd(end: CommandEnd): string | undefined {
  if (end.kind === "signal") return `ended by ${end.name}`;
  if (end.kind !== "exit" || end.code <= 128) return undefined;
  const name = Object.entries(constants.signals).find(([, number]) => number === end.code - 128)
    ?.[0];
  // The shell there says it so; a program may choose the same code.
  return name === undefined ? undefined : `ended with ${end.code}, which is ${name} to a shell`;
}

function numberOf(name: string): number | undefined {
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  return Object.entries(constants.signals).find(([each]) => each === full)?.[1];
}
