import { Option } from "commander";
import type { HostFlags } from "../hosts-choice.ts";
import { hostOptions } from "./host-options.ts";

/** The options of every command that uses a warm sidecar. */
export interface WarmFlags extends HostFlags {
  readonly sidecar?: readonly string[] | undefined;
  /** Of the sidecar. */
  readonly name?: string | undefined;
  readonly session?: string | undefined;
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

/** Those that say which sidecar of this working tree is meant. */
export function whichOptions(): Option[] {
  return [
    new Option("--name <name>", "the sidecar of this name (default: the session's)"),
    sessionOption(),
  ];
}

/** The option that names a session. */
export function sessionOption(): Option {
  return new Option(
    "--session <id>",
    "the session whose sidecar it is (default: the agent's, else the working tree and branch)",
  );
}

/** Those that say where it is, and how answers are printed. */
export function placeOptions(): Option[] {
  return [
    ...hostOptions("of the configuration, else where the sidecar is"),
    new Option("--json", "print the answer as JSON"),
    new Option("--verbose", "print stacks too"),
    new Option("--config <file>", "use this file in place of the nearest sidecanary.json"),
  ];
}
