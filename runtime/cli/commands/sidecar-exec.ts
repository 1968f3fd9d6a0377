import { captureTree, deliverTree } from "../../warm/deliver-tree.ts";
import { runRemote } from "../../warm/run-remote.ts";
import { type CliIo, write } from "../io.ts";
import { parseVariable } from "../options/parse-variable.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { exitOfEnd, noteOfEnd } from "../warm/exit-of-end.ts";
import { setupOf } from "../setup-of.ts";
import { shellLine } from "../warm/shell-line.ts";
import {
  keyOf,
  TTL_MS,
  type WarmCliPorts,
  warmSurroundings,
  whereOf,
} from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

/** `sidecanary sidecar exec`: runs one command there and ends with its code. */
export async function sidecarExec(
  command: readonly string[],
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, place, folder, context } = await warmSurroundings(flags, io, ports, signal);
  const { clock } = ports;
  const where = whereOf(flags, config, io);
  const key = await keyOf(flags, io.env, place, signal);
  const env = Object.fromEntries((flags.env ?? []).map(parseVariable));
  return await withWarm(context, key, async (warm) => {
    const { record } = await warm.use({ where, ttlMs: TTL_MS, create: false });
    if (flags.sync) {
      const captured = await captureTree(folder, io.cwd, signal);
      try {
        const { payload } = captured;
        const setup = setupOf(flags.setup, config?.config ?? {});
        const { onNotice } = context;
        const options = { folder, payload, setup, full: false, clock, signal, onNotice };
        await warm.withLink((link) => deliverTree(link, options));
        await warm.records.keep(key.id, { ...record, tree: payload.tree });
      } finally {
        await captured.remove();
      }
    }
    // Others may use the sidecar beside this command.
    await warm.letGo();
    const end = await runRemote(
      warm.link ?? await Promise.reject(new TypeError("there is no connection")),
      {
        run: shellLine(command),
        cwd: place.cwd,
        env,
        ...(io.stdin.isTTY === true ? {} : { stdin: io.stdin as AsyncIterable<Uint8Array> }),
        onStdout: (chunk) => void io.stdout.write(chunk),
        onStderr: (chunk) => void io.stderr.write(chunk),
        clock,
        signal,
      },
    );
    const note = noteOfEnd(end);
    if (note !== undefined) await write(io.stderr, `sidecanary: ${command[0]} ${note}\n`);
    return exitOfEnd(end);
  });
}
