import type { CliIo } from "../io.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { sanitiseLine } from "../views/sanitise.ts";
import { printAnswer, span } from "../warm/print.ts";
import {
  keyOf,
  TTL_MS,
  type WarmCliPorts,
  warmSurroundings,
  whereOf,
} from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

/** `sidecanary sidecar create`: makes a sidecar, or finds the one that is there. */
export async function sidecarCreate(
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, place, context } = await warmSurroundings(flags, io, ports, signal);
  const where = whereOf(flags, config, io);
  const key = await keyOf(flags, io.env, place, signal);
  const ttlMs = flags.ttl ?? TTL_MS;
  const { record, made } = await withWarm(
    context,
    key,
    (warm) => warm.use({ where, ttlMs, create: true }),
  );
  const { title: name, host, place: at, createdAt, expiresAt } = record;
  const left = span(expiresAt - ports.clock.now());
  const said = made === "found" ? "is there already" : "is up";
  await printAnswer(
    io,
    flags.json,
    { name, host, place: at, made, createdAt, expiresAt },
    `${sanitiseLine(name)} ${said}: ${host}, ${sanitiseLine(at)}, for ${left}\n`,
  );
  return 0;
}
