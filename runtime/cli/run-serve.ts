import { systemClock } from "../clock.ts";
import type { ServeEvent } from "../serve/serve-event.ts";
import { sidecarServe } from "./commands/sidecar-serve.ts";
import { EXIT } from "./exit-code.ts";
import { type CliIo, write } from "./io.ts";
import type { ServeFlags } from "./program/serve-command.ts";
import { stateHomeOf } from "./settings.ts";
import { sanitiseLine } from "./views/sanitise.ts";
import { interruptible } from "./warm/interruptible.ts";

/**
 * `sidecanary sidecar serve`: serves until the first signal, which is its proper end.
 *
 * @returns the exit code: 0 where nothing was left behind, 130 and the like after a signal
 */
export async function runServe(flags: ServeFlags, io: CliIo): Promise<number> {
  const { maxInstances, idle, lifetime, ...options } = flags;
  const limits = {
    ...(maxInstances === undefined
      ? {}
      : { instances: maxInstances, instancesPerOwner: maxInstances }),
    ...(idle === undefined ? {} : { idleMs: idle }),
    ...(lifetime === undefined ? {} : { lifetimeMs: lifetime }),
  };
  return await interruptible(io, async (signal) => {
    const answer = await sidecarServe({ ...options, limits }, {
      io,
      stateHome: stateHomeOf(io.env),
      clock: systemClock,
      signal,
      onEvent: (event) => {
        const line = flags.json ? JSON.stringify(event) : eventText(event);
        void write(io.stderr, `${line}\n`);
      },
    });
    await write(io.stderr, `stopped; ${answer.stopped.length} sidecars were destroyed\n`);
    return EXIT.ok;
  });
}

function eventText(event: ServeEvent): string {
  const who = "instance" in event ? ` ${event.instance ?? ""}` : "";
  switch (event.kind) {
    case "listening":
      return `listening at ${event.url}; ${event.isolation}`;
    case "created":
      return `created${who} (${
        sanitiseLine(event.name)
      }) for ${event.owner}, ${event.durationMs} ms`;
    case "destroyed":
      return `destroyed${who} (${sanitiseLine(event.name)}): ${event.reason}`;
    case "refused":
    case "failed":
      return `${event.kind}${who}: ${sanitiseLine(event.what)}`;
    case "recovered":
    case "connected":
    case "disconnected":
      return `${event.kind}${who}`;
  }
}
