import { Option } from "commander";
import { parseSidecars } from "../options/parse-sidecar.ts";
import { tidy } from "./tidy.ts";

/**
 * The options that say where commands run.
 *
 * @param otherwise what holds without `--sidecar`, for the help
 */
export function hostOptions(otherwise: string): Option[] {
  const sidecars = (value: string, before: readonly string[]): string[] => {
    tidy((text) => parseSidecars([text]))(value);
    return [...before, value];
  };
  return [
    new Option(
      "--sidecar <where>",
      "local, ssh://user@host[?lanes=2] (repeat for more), docker:IMAGE, circleci, https://host",
    ).argParser(sidecars).default([], otherwise),
    new Option("--identity-file <file>", "the private key for ssh"),
    new Option("--accept-new", "trust and remember the keys of ssh hosts that are not known yet"),
    new Option("--image <id>", "the snapshot that CircleCI's sidecars start from"),
    new Option("--org-id <id>", "the organisation of CircleCI's sidecars"),
  ];
}
