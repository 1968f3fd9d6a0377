import { PassThrough, Readable } from "node:stream";
import type { CliIo } from "../../runtime/cli/io.ts";
import type { ValidateFlags } from "../../runtime/cli/program/validate-command.ts";
import { runSidecar, type SidecarVerb } from "../../runtime/cli/run-sidecar.ts";
import { runValidate } from "../../runtime/cli/run-validate.ts";
import type { SidecarFlags } from "../../runtime/cli/program/sidecar-command.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { exitCodeOfError } from "../../runtime/cli/exit-code.ts";
import { type WarmPlace, warmPlace } from "./warm-kit.ts";

/** What a command line came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface RunAs {
  /** @default a terminal */
  readonly stdin?: string | Readable;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly clock?: Clock;
}

/** A {@link WarmPlace} that the command line is used in, in this process. */
export interface CliPlace extends WarmPlace {
  readonly validate: (
    flags?: Partial<ValidateFlags> & { readonly named?: string },
    as?: RunAs,
  ) => Promise<Outcome>;
  readonly sidecar: (verb: SidecarVerb, flags?: SidecarFlags, as?: RunAs) => Promise<Outcome>;
}

export const SHELL = ["ssh://shell"];

export async function cliPlace(
  files: string = "",
  options: { readonly disposable?: boolean } = {},
): Promise<CliPlace> {
  const at = await warmPlace({ ...options, script: files });
  const run = async (as: RunAs, work: (io: CliIo) => Promise<number>): Promise<Outcome> => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let [out, err] = ["", ""];
    stdout.on("data", (chunk: Uint8Array) => out += new TextDecoder().decode(chunk));
    stderr.on("data", (chunk: Uint8Array) => err += new TextDecoder().decode(chunk));
    const { stdin = Object.assign(new PassThrough(), { isTTY: true }), env = {}, cwd } = as;
    const io: CliIo = {
      stdin: typeof stdin === "string" ? Readable.from([new TextEncoder().encode(stdin)]) : stdin,
      stdout,
      stderr,
      env: { XDG_STATE_HOME: at.stateHome, NO_COLOR: "1", ...env },
      cwd: cwd ?? at.repo.dir,
    };
    let code: number;
    try {
      code = await work(io);
    } catch (error) {
      if (!isSidecanaryError(error)) throw error;
      code = exitCodeOfError(error);
      err += error.message;
    }
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
    return { code, stdout: out, stderr: err };
  };
  const ports = (as: RunAs) => ({
    clock: as.clock ?? at.context.clock,
    random: at.context.random,
    open: () => Promise.resolve(at.hosts),
  });
  return {
    ...at,
    validate: ({ named, ...flags } = {}, as = {}) =>
      run(as, (io) => runValidate(named, { command: [], env: [], ...flags }, io, ports(as))),
    sidecar: (verb, flags = {}, as = {}) => run(as, (io) => runSidecar(verb, flags, io, ports(as))),
  };
}

/** A `sidecanary.json` with these commands and the shell's sidecar, as a line of a script. */
export function configured(...commands: readonly (string | object)[]): string {
  const text = JSON.stringify({ commands, sidecar: "ssh://shell" });
  return `cat >sidecanary.json <<'END'\n${text}\nEND\n`;
}
