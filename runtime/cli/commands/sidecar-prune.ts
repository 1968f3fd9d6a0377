import { SidecanaryError } from "../../errors.ts";
import { listNamed, listWarm } from "../../warm/list-warm.ts";
import { pruneHosts } from "../../warm/prune-hosts.ts";
import { EXIT } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { sanitiseLine } from "../views/sanitise.ts";
import { printAnswer } from "../warm/print.ts";
import { type WarmCliPorts, warmSurroundings, whereOf } from "../warm/warm-surroundings.ts";

/** `sidecanary sidecar prune`: destroys what has expired at a provider, whoever made it. */
export async function sidecarPrune(
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, folder, context } = await warmSurroundings(flags, io, ports, signal);
  const where = whereOf(flags, config, io);
  if (where === undefined) {
    throw new SidecanaryError(
      "usage",
      "Prune where? Give --sidecar circleci, docker:IMAGE, ssh://user@host or https://host",
      { option: "--sidecar" },
    );
  }
  const dryRun = flags.dryRun === true;
  const sidecars = await listWarm(folder, ports.clock, ports.random);
  const provider = await context.open(where);
  try {
    const now = ports.clock.now();
    const hosts = await listNamed(provider, { owner: folder.owner, sidecars }, now, signal);
    const { removed, spared, undatable, failed } = await pruneHosts(provider, hosts, {
      dryRun,
      signal,
    });
    const lines = [
      ...removed.map((host) => `${host} ${dryRun ? "would be destroyed" : "is destroyed"}\n`),
      ...undatable.map((host) => `${host} is spared: its name tells no believable expiry\n`),
      ...failed.map(({ host, reason }) => `${host} may be left: ${sanitiseLine(reason)}\n`),
      `${removed.length} expired, ${spared.length} live and spared\n`,
    ];
    await printAnswer(
      io,
      flags.json,
      { dryRun, removed, spared, undatable, failed },
      lines.join(""),
    );
    return failed.length === 0 ? EXIT.ok : EXIT.incomplete;
  } finally {
    await provider.close();
  }
}
