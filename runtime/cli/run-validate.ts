import { Buffer } from "node:buffer";
import { isAbsolute, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { systemRandom } from "../random.ts";
import type { ValidateResult, Validation } from "../warm/validation.ts";
import { planValidation, remember, validate, type ValidatePlan } from "./commands/validate.ts";
import { hookAttempts } from "./config/hook-attempts.ts";
import { loadProjectConfig } from "./config/load-project-config.ts";
import { EXIT } from "./exit-code.ts";
import { type CliIo, write } from "./io.ts";
import type { ValidateFlags } from "./program/validate-command.ts";
import { type Palette, paletteFor } from "./views/palette.ts";
import { sanitise, sanitiseLine } from "./views/sanitise.ts";
import { interruptible } from "./warm/interruptible.ts";
import { columns } from "./warm/print.ts";
import { type Hook, readHook } from "./warm/read-hook.ts";
import { keyOf, type WarmCliPorts, warmSurroundings } from "./warm/warm-surroundings.ts";

/** So much of a failure's output is told to an agent, in bytes of each stream. */
const TAIL = 8_192;

/**
 * `sidecanary validate`, by hand or as an agent's stop hook.
 *
 * @returns the exit code: 0 all passed, 2 a command failed
 */
export async function runValidate(
  name: string | undefined,
  flags: ValidateFlags,
  io: CliIo,
  ports: WarmCliPorts = { clock: systemClock, random: systemRandom },
): Promise<number> {
  const hook = await readHook(io.stdin, ports.clock);
  if (hook !== undefined && isSet(io.env["SIDECANARY_HOOKS_DISABLED"])) return EXIT.ok;
  if (flags.list || flags.dryRun) {
    const given = flags.config;
    const config = loadProjectConfig(
      io.cwd,
      given === undefined || isAbsolute(given) ? given : resolve(io.cwd, given),
    );
    return await printPlan(planValidation(name, flags, config, io), flags, io);
  }
  return await interruptible(io, (signal) => run(name, flags, io, ports, hook, signal));
}

async function run(
  name: string | undefined,
  flags: ValidateFlags,
  io: CliIo,
  ports: WarmCliPorts,
  hook: Hook | undefined,
  signal: AbortSignal,
): Promise<number> {
  const surroundings = await warmSurroundings(flags, io, ports, signal);
  const plan = planValidation(name, flags, surroundings.config, io);
  const { session } = flags;
  const key = await keyOf({ session }, io.env, surroundings.place, signal, hook?.session);
  const own = { surroundings, key, ports };
  if (hook?.stopHookActive === false) await remember(own, (memory) => memory.resetAttempts());
  const palette = paletteFor(io.stderr, io.env);
  const tail = new Tail();
  const say = (text: string): void => void io.stderr.write(text);
  const result = await validate({
    flags,
    plan,
    ...own,
    skipGreen: hook !== undefined,
    onPlace: (place, tree) => {
      if (hook === undefined) say(palette.dim(`${place}, tree ${tree.slice(0, 12)}\n`));
    },
    events: {
      onBegin: ({ name }) => {
        tail.clear();
        if (hook === undefined) say(palette.bold(`▸ ${sanitiseLine(name)}\n`));
      },
      onOutput: (chunk, stream) => {
        if (hook !== undefined) return tail.push(chunk);
        // The document has standard output for itself.
        (stream === "stdout" && !flags.json ? io.stdout : io.stderr).write(chunk);
      },
      onEnd: (each) => {
        if (hook === undefined) say(resultLine(each, palette));
      },
    },
  });
  if (result === "green") return EXIT.ok;
  if (flags.json) await write(io.stdout, `${JSON.stringify(result, null, 2)}\n`);
  const code = result.passed ? EXIT.ok : EXIT.survivors;
  if (hook === undefined) {
    await write(io.stderr, summary(result, palette));
    return code;
  }
  if (result.passed) {
    await write(io.stderr, summary(result, palette));
    return code;
  }
  const attempts = await remember(own, (memory) => memory.failed());
  const most = hookAttempts(io.cwd);
  await write(io.stderr, sanitise(tail.text()));
  await write(
    io.stderr,
    result.results.map((each) => resultLine(each, palette)).join("") + summary(result, palette),
  );
  if (attempts <= most) return code;
  await write(
    io.stderr,
    `sidecanary: failed ${attempts} times in a row: stop here and ask the user\n`,
  );
  return EXIT.ok;
}

async function printPlan(plan: ValidatePlan, flags: ValidateFlags, io: CliIo): Promise<number> {
  const { source, where, commands } = plan;
  if (flags.json) {
    await write(io.stdout, `${JSON.stringify({ source, where, commands }, null, 2)}\n`);
    return EXIT.ok;
  }
  const rows = columns(
    commands.map(({ name, run, timeoutMs }) => [
      sanitiseLine(name),
      sanitiseLine(run),
      `${timeoutMs / 1000}s`,
    ]),
  );
  const place = where ?? "the session's sidecar, if there is one: nothing says where";
  const head = flags.dryRun ? `of ${source}, on ${sanitiseLine(place)}:\n` : "";
  await write(io.stdout, head + rows);
  return EXIT.ok;
}

function resultLine(result: ValidateResult, { green, red, yellow }: Palette): string {
  const { name, status, exitCode, signal, durationMs } = result;
  const title = sanitiseLine(name);
  const time = `${(durationMs / 1000).toFixed(1)}s`;
  switch (status) {
    case "passed":
      return `${green("✓")} ${title} ${time}\n`;
    case "failed": {
      const how = exitCode === null ? `ended by ${signal ?? "a signal"}` : `exit code ${exitCode}`;
      return `${red("✗")} ${title}: ${how}, ${time}\n`;
    }
    case "timeout":
      return `${red("✗")} ${title}: killed after ${time}: it took too long\n`;
    case "skipped":
      return `${yellow("-")} ${title}: skipped\n`;
  }
}

function summary({ results, durationMs }: Validation, { bold }: Palette): string {
  const passed = results.filter(({ status }) => status === "passed").length;
  return `${bold(`${passed}/${results.length} passed`)} in ${(durationMs / 1000).toFixed(1)}s\n`;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0";
}

/** The end of what a command wrote. */
class Tail {
  #bytes = Buffer.alloc(0);

  clear(): void {
    this.#bytes = Buffer.alloc(0);
  }

  push(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-TAIL);
  }

  text(): string {
    const text = this.#bytes.toString("utf8");
    return text === "" || text.endsWith("\n") ? text : `${text}\n`;
  }
}
