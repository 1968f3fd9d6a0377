import { SidecanaryError } from "../../errors.ts";
import type { StateFolder } from "../../state-folder.ts";
import type { WarmKey } from "../../warm/warm-key.ts";
import { openWarmStore, type WarmRecord, WarmRecords } from "../../warm/warm-records.ts";
import type { Ended } from "../../warm/warm-sidecar.ts";
import { EXIT } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { sanitiseLine } from "../views/sanitise.ts";
import { printAnswer } from "../warm/print.ts";
import { keyOf, type WarmCliPorts, warmSurroundings } from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

/** `sidecanary sidecar destroy`: destroys sidecars of this working tree, by name, or all of them. */
export async function sidecarDestroy(
  names: readonly string[],
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { place, folder, context } = await warmSurroundings(flags, io, ports, signal);
  const known = await recorded(folder, ports);
  if (flags.all && names.length > 0) {
    throw new SidecanaryError("usage", "Give names or --all, not both", { option: "--all" });
  }
  const keys = flags.all
    ? known.map(keyOfRecord)
    : names.length === 0
    ? [await keyOf(flags, io.env, place, signal)]
    : names.map((name) => find(known, name));
  const ended: Ended[] = [];
  for (const key of keys) {
    signal.throwIfAborted();
    const each = await withWarm(context, key, (warm) => warm.destroy());
    if (each !== undefined) ended.push(each);
  }
  const lines = ended.map(({ title, host, destroyed, message }) =>
    destroyed
      ? `${sanitiseLine(title)} is destroyed: ${host}\n`
      : `${sanitiseLine(title)} may be left: ${host}: ${sanitiseLine(message ?? "")}\n`
  );
  await printAnswer(
    io,
    flags.json,
    { sidecars: ended },
    lines.length === 0 ? "no sidecars\n" : lines.join(""),
  );
  return ended.every(({ destroyed }) => destroyed) ? EXIT.ok : EXIT.incomplete;
}

async function recorded(folder: StateFolder, ports: WarmCliPorts): Promise<WarmRecord[]> {
  const store = await openWarmStore(folder, ports.clock, ports.random);
  try {
    return await new WarmRecords(store, ports.clock).sidecars();
  } finally {
    await store.close();
  }
}

function find(known: readonly WarmRecord[], name: string): WarmKey {
  const record = known.find(({ title, host }) => title === name || host === name);
  if (record !== undefined) return keyOfRecord(record);
  const list = known.map(({ title }) => `"${title}"`).join(", ") || "none";
  throw new SidecanaryError("usage", `There is no sidecar "${name}": there is ${list}`, {});
}

function keyOfRecord({ key, title }: WarmRecord): WarmKey {
  return { id: key, title };
}
