import { type Command, Option } from "commander";
import type { SidecarServeOptions } from "../commands/sidecar-serve.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { parseCount } from "../options/parse-number.ts";
import { texts, tidy } from "./tidy.ts";

/** The options of `sidecar serve`. */
export interface ServeFlags extends Omit<SidecarServeOptions, "limits"> {
  readonly maxInstances?: number | undefined;
  /** In ms. */
  readonly idle?: number | undefined;
  /** In ms. */
  readonly lifetime?: number | undefined;
  readonly json?: boolean | undefined;
}

/** What is done for `sidecanary sidecar serve`. */
export type ServeAction = (flags: ServeFlags) => Promise<void>;

/** Adds `sidecanary sidecar serve`. */
export function addServe(sidecar: Command, action: ServeAction): void {
  const serve = sidecar.command("serve").exitOverride()
    .summary("make this machine a host of sidecars, until it is interrupted")
    .description(
      "Makes, lists and destroys sidecars on this machine by HTTP, for clients with " +
        "--sidecar https://host. A token is read from a file or SIDECANARY_SERVE_TOKEN.",
    )
    .addHelpText(
      "after",
      "\nExample:\n  sidecanary sidecar serve --token-file token --listen 127.0.0.1:8722",
    )
    .action((flags: ServeFlags) => action(flags));
  const options = [
    new Option("--listen <address>", "host:port (default: 127.0.0.1:8722)"),
    new Option("--token-file <file>", "tokens, one a line; nobody else may read the file"),
    new Option("--tls-cert <file>", "a certificate, PEM"),
    new Option("--tls-key <file>", "its key, PEM"),
    new Option("--insecure-http", "plain HTTP beyond loopback: tokens can be stolen"),
    new Option(
      "--public-url <url>",
      "what clients reach this host by, where a proxy stands before it",
    ),
    new Option("--state-dir <folder>", "for the host key and the sidecars' files"),
    new Option("--network <mode>", "of the sidecars").choices(["none", "host"]).default("none"),
    new Option("--shared-user-unsafe", "do without namespaces: sidecars can harm each other"),
    new Option("--expose <folder>", "lets sidecars read it; repeat for more")
      .argParser(texts).default([], "none"),
    new Option("--max-instances <n>", "sidecars at once (default: 16)").argParser(tidy(parseCount)),
    new Option("--idle <time>", "destroy what nobody is connected to (default: 30m)")
      .argParser(tidy(parseDuration)),
    new Option("--lifetime <time>", "destroy whatever is older (default: 24h)")
      .argParser(tidy(parseDuration)),
    new Option("--json", "print events as JSON lines"),
  ];
  for (const option of options) serve.addOption(option);
}
