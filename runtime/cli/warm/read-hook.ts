import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import type { InputStream } from "../io.ts";

/** What an agent's hook says on standard input. */
export interface Hook {
  /** A stranger's text: only its hash is used. */
  readonly session: string;
  /** Whether the agent goes on because of this hook; `undefined` where it does not say. */
  readonly stopHookActive: boolean | undefined;
}

/** How long an open pipe may stay empty, in ms. */
const DEADLINE_MS = 500;
const MOST_BYTES = 1 << 20;

/**
 * Reads a hook's JSON: an object with a `session_id`. A terminal is not read; what is no such JSON,
 * is larger than 1 MiB, or does not come in time is no hook.
 */
export async function readHook(stdin: InputStream, clock: Clock): Promise<Hook | undefined> {
  if (stdin.isTTY === true) return undefined;
  const text = await readAll(stdin, clock);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { session_id: session, stop_hook_active: active } = value as Record<string, unknown>;
  if (typeof session !== "string" || session === "") return undefined;
  return { session, stopHookActive: typeof active === "boolean" ? active : undefined };
}

/** All of a stream; `undefined` where it does not end in time or is too much. */
function readAll(stdin: InputStream, clock: Clock): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (text: string | undefined): void => {
      clock.clearTimeout(timer);
      stdin.off("data", take);
      stdin.off("end", end);
      stdin.off("error", fail);
      stdin.pause();
      resolve(text);
    };
    const take = (chunk: Buffer | string): void => {
      const bytes = Buffer.from(chunk as string);
      size += bytes.length;
      chunks.push(bytes);
      if (size > MOST_BYTES) settle(undefined);
    };
    const end = (): void => settle(Buffer.concat(chunks).toString("utf8"));
    // A closed standard input is no hook either.
    const fail = (): void => settle(undefined);
    const timer = clock.setTimeout(() => settle(undefined), DEADLINE_MS);
    stdin.on("data", take);
    stdin.once("end", end);
    stdin.once("error", fail);
  });
}
