import { createHash } from "node:crypto";
import type { CampaignRequest } from "./campaign-request.ts";

/**
 * The variables of the environment that are part of a campaign's key: another value may mean another
 * verdict. Everything else is handed to the commands and not compared.
 */
export const KEYED_ENVIRONMENT: readonly string[] = [
  "PATH",
  "NODE_ENV",
  "NODE_OPTIONS",
  "NODE_PATH",
  "DENO_DIR",
  "PYTHONPATH",
  "PYTHONHASHSEED",
  "VIRTUAL_ENV",
  "CONDA_PREFIX",
  "GOFLAGS",
  "GOPATH",
  "GOTOOLCHAIN",
  "RUSTFLAGS",
  "RUSTUP_TOOLCHAIN",
  "CARGO_HOME",
  "JAVA_HOME",
  "MAVEN_OPTS",
  "GEM_HOME",
  "RUBYOPT",
  "CC",
  "CXX",
  "CFLAGS",
  "CXXFLAGS",
  "LDFLAGS",
  "CI",
  "TZ",
  "LANG",
  "LC_ALL",
];

/** The parts of a campaign's key, for people who are told which one changed. */
export type KeyPart =
  | "payload"
  | "directory"
  | "variants"
  | "commands"
  | "environment"
  | "sidecars"
  | "timeouts"
  | "kill codes"
  | "baseline"
  | "sidecanary";

/** What tells one campaign from another. */
export interface CampaignKey {
  readonly key: string;
  /** The hash of each part. */
  readonly parts: Readonly<Record<KeyPart, string>>;
}

/** What a key is made of. */
export interface KeyInput {
  readonly request: CampaignRequest;
  /** The payload's tree and the place in it where commands run. */
  readonly payload: { readonly tree: string; readonly cwd: string };
  /** The kind of the sidecars. */
  readonly kind: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The hashes of the machines: actors of others cannot be gone on with. */
  readonly machines: readonly string[];
}

/** Hashes everything that verdicts depend on. How many workers there are is no part of it. */
export function campaignKey({ request, payload, kind, env, machines }: KeyInput): CampaignKey {
  const { variants, builds, commands, killExitCodes, baseline } = request;
  const { timeoutMs, timeoutMultiplier, minimumTimeoutMs } = request;
  const parts: Record<KeyPart, string> = {
    payload: payload.tree,
    directory: hash(payload.cwd),
    variants: hash(variants.map(({ id, patch, patchEncoding, timeout }) => [
      id,
      patch,
      patchEncoding ?? "utf8",
      timeout ?? null,
    ])),
    commands: hash([builds, commands].map((each) => each.map(({ name, run }) => [name, run]))),
    environment: hash(KEYED_ENVIRONMENT.map((name) => env[name] ?? null)),
    sidecars: hash(kind),
    timeouts: hash([
      timeoutMs,
      timeoutMultiplier,
      minimumTimeoutMs,
      [...builds, ...commands].map((each) => each.timeoutMs ?? null),
    ]),
    "kill codes": hash(killExitCodes),
    baseline: hash(baseline),
    sidecanary: hash([request.version, machines]),
  };
  return { key: hash(parts), parts };
}

/** The parts in which two keys differ. */
export function changedParts(before: CampaignKey, now: CampaignKey): KeyPart[] {
  const names = Object.keys(now.parts) as KeyPart[];
  return names.filter((name) => before.parts[name] !== now.parts[name]);
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}
