import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
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
/** How long what has begun may take to end, in ms. */
const END_MS = 10_000;
const MOST_BYTES = 1 << 20;

/**
 * Reads a hook's JSON: an object with a `session_id`. A terminal is not read; an empty pipe, and what
 * does not begin as an object, is no hook.
 *
 * @throws SidecanaryError `usage` where an object begins and cannot be read: without its session it
 *   would be taken for somebody else's
 */
export async function readHook(stdin: InputStream, clock: Clock): Promise<Hook | undefined> {
  if (stdin.isTTY === true) return undefined;
  const text = await readAll(stdin, clock);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!text.trimStart().startsWith("{")) return undefined;
    const message = "The hook's JSON on standard input cannot be read: " +
      (error instanceof Error ? error.message : String(error));
    throw new SidecanaryError("usage", message, {}, error);
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { session_id: session, stop_hook_active: active } = value as Record<string, unknown>;
  if (typeof session !== "string" || session === "") return undefined;
  return { session, stopHookActive: typeof active === "boolean" ? active : undefined };
}

/** A stream, as far as it came in time and up to 1 MiB; `undefined` where nothing came. */
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
    const end = (): void => settle(Buffer.concat(chunks).toString("utf8"));
    const take = (chunk: Buffer | string): void => {
      if (size === 0) {
        clock.clearTimeout(timer);
        timer = clock.setTimeout(end, END_MS);
      }
      const bytes = Buffer.from(chunk as string);
      size += bytes.length;
      chunks.push(bytes);
      if (size > MOST_BYTES) end();
    };
    // A closed standard input is no hook either.
    const fail = (): void => settle(undefined);
    let timer = clock.setTimeout(() => settle(undefined), DEADLINE_MS);
    stdin.on("data", take);
    stdin.once("end", end);
    stdin.once("error", fail);
  });
}
