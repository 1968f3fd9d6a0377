import process from "node:process";
import type { RunOptions, RunResult, Sandbox, SidecarSpec } from "../provider.ts";
import type { Cell } from "./cell.ts";
import { runCommand } from "./run-command.ts";

/** What a {@link LocalSandbox} is made of. */
export interface LocalSandboxParts {
  readonly cell: Cell;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logDir: string;
  /** Called once, when nothing in the cell runs any more. */
  readonly dispose: () => Promise<void>;
}

/** A sandbox whose commands run in one cell. */
export class LocalSandbox implements Sandbox {
  readonly #parts: LocalSandboxParts;
  #closed: Promise<void> | undefined;

  constructor(parts: LocalSandboxParts) {
    this.#parts = parts;
  }

  async run(command: string, options: RunOptions): Promise<RunResult> {
    return await runCommand(this.#parts, command, options);
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    await this.#parts.cell.end();
    await this.#parts.dispose();
  }
}

/** How many ports lie between the port bases of two workers. */
const PORTS_PER_WORKER = 100;
/** Port bases lie below the range that systems hand out for outgoing connections. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/**
 * The environment of a sidecar's commands: the inherited one, and what keeps two workers apart
 * (`TMPDIR`, `SIDECANARY_WORKER`, `SIDECANARY_PORT_BASE`: the first of 100 ports of its own).
 */
export function commandEnv(spec: SidecarSpec, tmpDir: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) env[name] = value;
  }
  const span = (LAST_PORT - FIRST_PORT) / PORTS_PER_WORKER;
  return {
    ...env,
    ...spec.env,
    TMPDIR: tmpDir,
    SIDECANARY_WORKER: String(spec.worker),
    SIDECANARY_PORT_BASE: String(FIRST_PORT + (spec.worker % span) * PORTS_PER_WORKER),
  };
}
