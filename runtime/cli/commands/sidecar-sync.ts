import { captureTree, deliverTree } from "../../warm/deliver-tree.ts";
import type { CliIo } from "../io.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { sanitiseLine } from "../views/sanitise.ts";
import { printAnswer } from "../warm/print.ts";
import { setupOf } from "../setup-of.ts";
import {
  keyOf,
  TTL_MS,
  type WarmCliPorts,
  warmSurroundings,
  whereOf,
} from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

/** `sidecanary sidecar sync`: brings the working tree there and says what it took. */
export async function sidecarSync(
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, place, folder, context } = await warmSurroundings(flags, io, ports, signal);
  const where = whereOf(flags, config, io);
  const key = await keyOf(flags, io.env, place, signal);
  const { onNotice, clock } = context;
  const captured = await captureTree(folder, io.cwd, signal);
  try {
    const { payload } = captured;
    for (const warning of payload.warnings) onNotice(warning);
    await withWarm(context, key, async (warm) => {
      const { record } = await warm.use({ where, ttlMs: TTL_MS, create: false });
      const setup = setupOf(flags.setup, config?.config ?? {});
      const full = flags.full === true;
      const { kind, sentBytes: bytes } = await warm.withLink((link) =>
        deliverTree(link, { folder, payload, setup, full, clock, signal, onNotice })
      );
      await warm.records.keep(key.id, { ...record, tree: payload.tree });
      const { tree, files } = payload;
      const how = kind === "present"
        ? "was there already"
        : `${bytes} bytes sent, ${kind === "full" ? "in full" : "as a difference"}`;
      await printAnswer(
        io,
        flags.json,
        { name: record.title, host: record.host, tree, files, bytes, kind },
        `${sanitiseLine(record.title)}: tree ${tree}, ${files} files, ${how}\n`,
      );
    });
  } finally {
    await captured.remove();
  }
  return 0;
}
