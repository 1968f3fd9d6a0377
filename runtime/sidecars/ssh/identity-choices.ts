import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import type { ParsedKey } from "ssh2";
import { inspectKeyFile, type KeyFile } from "../../ssh/key-file.ts";
import type { SshSettings } from "../../ssh/ssh-config.ts";
import type { SshIdentity } from "../../ssh/ssh-identity.ts";
import { fingerprint, keyTypeOf } from "../../ssh/wire.ts";
import { hostFailed } from "../host-failed.ts";
import { agentKeys } from "./agent-keys.ts";

/** One identity that may be offered. */
export interface IdentityChoice {
  /** For people: a file, a key of the agent. */
  readonly name: string;
  /** @throws SidecanaryError `host-failed` with the fault `bad-key` */
  load(): Promise<SshIdentity>;
}

/** What there is to choose from. */
export interface IdentityQuery {
  /** The host, for messages. */
  readonly host: string;
  readonly settings: Pick<SshSettings, "identityFiles" | "identitiesOnly" | "agent">;
  /** The only identity to offer. @default what the settings say */
  readonly file?: string;
  /** Reads a private key. */
  readonly read: (path: string) => Promise<ParsedKey>;
}

/**
 * The identities for a host, in the order in which they are offered: the files in their order, by the
 * agent where it holds their keys, then the agent's other keys. ssh asks the agent first in any case;
 * here every offer costs a connection, so what is named comes before what is merely there.
 *
 * @throws SidecanaryError `host-failed`: `bad-key` where there is none, `no-agent` where the agent
 *   does not answer and no file is of use
 */
export async function identityChoices(query: IdentityQuery): Promise<IdentityChoice[]> {
  const { host, settings, file, read } = query;
  const { agent: socket } = settings;
  const { held, agentError } = await askAgent(socket);
  const choices: IdentityChoice[] = [];
  const taken = new Set<string>();
  const offer = (publicKey: Uint8Array, name: string) => {
    if (socket === undefined) return;
    taken.add(fingerprint(publicKey));
    choices.push({ name, load: () => Promise.resolve({ kind: "agent", socket, publicKey }) });
  };
  const missing: string[] = [];
  for (const path of file === undefined ? settings.identityFiles : [file]) {
    const found = await inspect(path);
    const publicKey = found?.publicKey;
    if (publicKey && held.some((key) => Buffer.from(key).equals(publicKey))) {
      offer(publicKey, `${path} (by the agent)`);
    } else if (path === file || isOfUse(found?.file)) {
      choices.push({ name: path, load: async () => ({ kind: "key", key: await read(path) }) });
    } else missing.push(path);
  }
  if (file === undefined && !settings.identitiesOnly) {
    for (const key of held) {
      if (taken.has(fingerprint(key)) || keyTypeOf(key)?.includes("-cert-")) continue;
      offer(key, `the agent's ${keyTypeOf(key) ?? "unknown"} key ${fingerprint(key)}`);
    }
  }
  if (choices.length > 0) return choices;
  const agent = socket === undefined
    ? "there is no agent"
    : agentError
    ? "the agent does not answer"
    : "the agent holds no key that may be offered";
  throw hostFailed(
    `There is no key to log in to ${host} with: ${agent}, and no private key of use is at ` +
      `${
        missing.join(", ") || "any file"
      }. Make one with ssh-keygen, or name one with identity=FILE`,
    { host, fault: agentError ? "no-agent" : "bad-key", kind: "never" },
    agentError,
  );
}

async function askAgent(
  socket: string | undefined,
): Promise<{ readonly held: readonly Uint8Array[]; readonly agentError?: unknown }> {
  if (socket === undefined) return { held: [] };
  try {
    return { held: await agentKeys(socket) };
  } catch (agentError) {
    // Files may do; where they do not, the error says that the agent did not answer.
    return { held: [], agentError };
  }
}

/** As ssh does, a public key beside the private one tells which key of the agent is meant. */
async function inspect(
  path: string,
): Promise<{ readonly file?: KeyFile; readonly publicKey?: Uint8Array }> {
  const text = await textOf(path);
  const file = text === undefined ? undefined : inspectKeyFile(text);
  const beside = inspectKeyFile(await textOf(`${path}.pub`) ?? "");
  const publicKey = file !== undefined && file.kind !== "unknown" && file.publicKey !== undefined
    ? file.publicKey
    : beside.kind === "public"
    ? beside.publicKey
    : undefined;
  return { ...(file && { file }), ...(publicKey && { publicKey }) };
}

/** A file that cannot be read is there all the same: whoever needs it says what is wrong. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : "";
  }
}

/** A file that was not asked for by name is passed over where it can be of no use. */
function isOfUse(file: KeyFile | undefined): boolean {
  if (file === undefined || file.kind === "public") return false;
  const key = file.kind === "private" ? file.publicKey : undefined;
  return key === undefined || !keyTypeOf(key)?.startsWith("sk-");
}
