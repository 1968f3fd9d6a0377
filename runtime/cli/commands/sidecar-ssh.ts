import { runRemote } from "../../warm/run-remote.ts";
import { type CliIo, write } from "../io.ts";
import { parseVariable } from "../options/parse-variable.ts";
import type { SidecarFlags } from "../program/sidecar-command.ts";
import { exitOfEnd, noteOfEnd } from "../warm/exit-of-end.ts";
import { quoted, shellLine } from "../warm/shell-line.ts";
import { terminalSession } from "../warm/terminal-session.ts";
import {
  keyOf,
  TTL_MS,
  type WarmCliPorts,
  warmSurroundings,
  whereOf,
} from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

const LOGIN = 'exec "${SHELL:-/bin/sh}" -l';

/** `sidecanary sidecar ssh`: a terminal there; what is piped in goes to a shell without one. */
export async function sidecarSsh(
  command: readonly string[],
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<number> {
  const { config, place, context } = await warmSurroundings(flags, io, ports, signal);
  const where = whereOf(flags, config, io);
  const key = await keyOf(flags, io.env, place, signal);
  const env = Object.fromEntries((flags.env ?? []).map(parseVariable));
  const run = command.length === 0 ? LOGIN : shellLine(command);
  return await withWarm(context, key, async (warm) => {
    await warm.use({ where, ttlMs: TTL_MS, create: false });
    // Others may use the sidecar beside this terminal.
    await warm.letGo();
    const { link } = warm;
    if (link === undefined) throw new TypeError("there is no connection");
    if (io.stdin.isTTY === true) {
      const base = link.workspace.base + (place.cwd === "" ? "" : `/${place.cwd}`);
      const variables = Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`));
      const exported = variables.length === 0 ? "" : `export ${variables.join(" ")}; `;
      const line = `cd ${quoted(base)} 2>/dev/null; ${exported}${run}`;
      return exitOfEnd(await terminalSession(link, line, io, signal));
    }
    const end = await runRemote(link, {
      run,
      cwd: place.cwd,
      env,
      stdin: io.stdin as AsyncIterable<Uint8Array>,
      onStdout: (chunk) => void io.stdout.write(chunk),
      onStderr: (chunk) => void io.stderr.write(chunk),
      clock: ports.clock,
      signal,
    });
    const note = noteOfEnd(end);
    if (note !== undefined) await write(io.stderr, `sidecanary: the command ${note}\n`);
    return exitOfEnd(end);
  });
}
