import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import type { Connection, PseudoTtyInfo, ServerChannel, Session } from "ssh2";
import { NOT_STARTED, pumpChannel } from "./pump-channel.ts";
import type { SshPorts } from "./serve-ssh.ts";
import { resizeTerminal, terminalCommand, type TerminalSize } from "./terminal.ts";

/** What a client may set: how text is shown. */
const ENV = /^(LANG|LANGUAGE|LC_[A-Z]+)$/;
const ENV_VALUE = /^[\w@.,:+-]{0,128}$/;
const MAX_ENV = 32;
const LOGIN_SHELL = "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi";

/** Accepts the sessions of a connection that has logged in; everything else ssh2 refuses by itself. */
export function acceptSession(client: Connection, ports: SshPorts): void {
  let open = 0;
  client.on("session", (accept, reject) => {
    if (open >= ports.limits.channelsPerConnection) return refuseForShortage(client, reject);
    open++;
    const session = accept();
    session.once("close", () => open--);
    serveSession(session, ports);
  });
}

function serveSession(session: Session, { instance, clock, stream, backlog }: SshPorts): void {
  const env: Record<string, string> = {};
  let pty: PseudoTtyInfo | undefined;
  let child: ChildProcess | undefined;
  session.on("env", (accept, reject, info) => {
    const { key, val } = info as { readonly key: string; readonly val: string };
    const fits = ENV.test(key) && ENV_VALUE.test(val) && Object.keys(env).length < MAX_ENV;
    if (!fits) return reject?.();
    env[key] = val;
    accept?.();
  });
  session.on("pty", (accept, _reject, info) => {
    pty = info;
    accept?.();
  });
  session.on("window-change", (accept, _reject, info) => {
    accept?.();
    if (pty === undefined) return;
    const size = sizeOf(info);
    if (child === undefined) pty = { ...pty, ...size };
    else resizeTerminal(instance, child, size, clock);
  });
  session.on("signal", (accept, reject, { name }) => {
    const group = child === undefined ? undefined : instance.cell.groupOf(child);
    const signal = `SIG${name}`;
    if (group === undefined || !(signal in constants.signals)) return reject?.();
    try {
      process.kill(-group, signal);
      accept?.();
    } catch {
      // It has ended meanwhile.
      reject?.();
    }
  });
  const start = (accept: () => ServerChannel, command: string | undefined) => {
    const channel = accept();
    const argv = pty === undefined
      ? ["sh", "-c", command ?? LOGIN_SHELL]
      : terminalCommand(command ?? LOGIN_SHELL, sizeOf(pty), (pty as { term?: string }).term);
    try {
      const started = instance.start(argv, env);
      child = started.child;
      child.once("error", (error) => fail(channel, error));
      pumpChannel(channel, started, { stream, backlog });
    } catch (error) {
      fail(channel, error);
    }
  };
  session.on("exec", (accept, _reject, { command }) => start(accept, command));
  session.on("shell", (accept) => start(accept, undefined));
}

function fail(channel: ServerChannel, error: unknown): void {
  channel.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  channel.exit(NOT_STARTED);
  channel.end();
}

function sizeOf({ rows, cols }: { readonly rows: number; readonly cols: number }): TerminalSize {
  const fit = (count: number, fallback: number) => count > 0 && count < 10_000 ? count : fallback;
  return { rows: fit(rows, 24), cols: fit(cols, 80) };
}

const RESOURCE_SHORTAGE = 4;

interface Protocol {
  channelOpenFail(channel: number, reason: number, description: string): void;
}

/** ssh2 lets nobody choose the reason of a refusal; see its `lib/server.js`, CHANNEL_OPEN. */
function refuseForShortage(client: Connection, reject: () => void): void {
  const { _protocol: protocol } = client as unknown as { readonly _protocol: Protocol };
  const original = protocol.channelOpenFail;
  protocol.channelOpenFail = (channel, _reason, description) =>
    original.call(protocol, channel, RESOURCE_SHORTAGE, description);
  try {
    reject();
  } finally {
    protocol.channelOpenFail = original;
  }
}
