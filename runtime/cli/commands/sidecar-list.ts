import { SidecanaryError } from "../../errors.ts";
import { listNamed, listWarm, type NamedHost, type WarmListed } from "../../warm/list-warm.ts";
import type { CliIo } from "../io.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { sanitiseLine } from "../views/sanitise.ts";
import { columns, printAnswer, span } from "../warm/print.ts";
import { type WarmCliPorts, warmSurroundings, whereOf } from "../warm/warm-surroundings.ts";

/** `sidecanary sidecar list`: this working tree's sidecars, or all of ours at a provider. */
export async function sidecarList(
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, folder, context } = await warmSurroundings(flags, io, ports, signal);
  const sidecars = await listWarm(folder, ports.clock, ports.random);
  const now = ports.clock.now();
  if (!flags.all) {
    await printAnswer(io, flags.json, { sidecars }, ownText(sidecars, now));
    return 0;
  }
  const where = whereOf(flags, config, io);
  if (where === undefined) {
    throw new SidecanaryError(
      "usage",
      "Whose sidecars? Give --sidecar circleci, docker:IMAGE, ssh://user@host or https://host",
      { option: "--sidecar" },
    );
  }
  const provider = await context.open(where);
  try {
    const hosts = await listNamed(provider, { owner: folder.owner, sidecars }, now, signal);
    await printAnswer(io, flags.json, { hosts }, allText(hosts, now));
  } finally {
    await provider.close();
  }
  return 0;
}

function ownText(sidecars: readonly WarmListed[], now: number): string {
  if (sidecars.length === 0) return "no sidecars\n";
  return columns(sidecars.map(({ name, state, host, place, createdAt, expiresAt }) => [
    sanitiseLine(name),
    state,
    `${span(now - createdAt)} old`,
    expiresAt > now ? `${span(expiresAt - now)} left` : "expired",
    host,
    sanitiseLine(place),
  ]));
}

function allText(hosts: readonly NamedHost[], now: number): string {
  if (hosts.length === 0) return "no sidecars\n";
  return columns(hosts.map(({ host, owner, own, expiresAt, createdAt }) => [
    host,
    own ? "this tree" : `owner ${owner}`,
    createdAt === null ? "" : `${span(now - createdAt)} old`,
    expiresAt === null
      ? "no believable expiry"
      : expiresAt > now
      ? `${span(expiresAt - now)} left`
      : "expired",
  ]));
}
