import { UNMEASURED_BUDGET_MS } from "../../variants/budgets.ts";
import { type Captured, captureTree, deliverTree } from "../../warm/deliver-tree.ts";
import { openLocalPlace } from "../../warm/local-place.ts";
import { runRemote } from "../../warm/run-remote.ts";
import { ValidateMemory } from "../../warm/validate-memory.ts";
import {
  runValidation,
  type ValidateCommand,
  type ValidateEvents,
  type Validation,
  validationKey,
} from "../../warm/validation.ts";
import type { WarmKey } from "../../warm/warm-key.ts";
import { openWarmStore, WarmRecords } from "../../warm/warm-records.ts";
import { chooseCommands, type ChosenCommands } from "../config/choose-commands.ts";
import type { LoadedConfig } from "../config/load-project-config.ts";
import type { CliIo } from "../io.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { parseVariable } from "../options/parse-variable.ts";
import type { ValidateFlags } from "../program/validate-command.ts";
import { setupOf } from "../setup-of.ts";
import {
  TTL_MS,
  type Wanted,
  wantedOf,
  type WarmCliPorts,
  type WarmSurroundings,
} from "../warm/warm-surroundings.ts";
import { withWarm } from "../warm/with-warm.ts";

/** What a validation will run, and where. Nothing was connected to. */
export interface ValidatePlan {
  /** Where the commands come from, in words. */
  readonly source: string;
  /** Where they run: a label, `local`, or `null` where nothing says it. */
  readonly where: string | null;
  readonly commands: readonly ValidateCommand[];
  readonly wanted: Wanted;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Chooses commands as `sidecanary variants` does; a command asked for by name comes alone.
 *
 * @throws SidecanaryError `usage`, `config-invalid`
 */
export function planValidation(
  name: string | undefined,
  flags: ValidateFlags,
  config: LoadedConfig | undefined,
  io: Pick<CliIo, "env" | "cwd">,
): ValidatePlan {
  const chosen: ChosenCommands = chooseCommands(
    io.cwd,
    { command: flags.command, build: [], name },
    config,
  );
  const { timeout } = config?.config ?? {};
  const otherwise = flags.timeout ??
    (timeout === undefined ? UNMEASURED_BUDGET_MS : parseDuration(timeout));
  const all = name === undefined && flags.command.length === 0
    ? [...chosen.builds, ...chosen.commands]
    : chosen.commands;
  const wanted = wantedOf(flags, config, io);
  return {
    source: chosen.source,
    where: wanted.kind === "hosts" ? wanted.where.label : wanted.kind === "local" ? "local" : null,
    commands: all.map((each) => ({
      name: each.name,
      run: each.run,
      timeoutMs: each.timeoutMs ?? otherwise,
    })),
    wanted,
    folder: chosen.folder,
    env: Object.fromEntries(flags.env.map(parseVariable)),
  };
}

/** How a validation is run. */
export interface ValidateOptions {
  readonly flags: ValidateFlags;
  readonly plan: ValidatePlan;
  readonly surroundings: WarmSurroundings;
  readonly key: WarmKey;
  readonly ports: WarmCliPorts;
  /** A tree that was green for the same commands at the same place is not run again. */
  readonly skipGreen: boolean;
  readonly events: ValidateEvents;
  /** Told before the first command. */
  readonly onPlace: (place: string, tree: string) => void;
}

/**
 * Captures the tree and runs the commands on it.
 *
 * @returns `green` where it was known to be green
 * @throws SidecanaryError what kept them from being run
 */
export async function validate(options: ValidateOptions): Promise<Validation | "green"> {
  const { flags, plan, surroundings, key, skipGreen } = options;
  const { context, config } = surroundings;
  const { folder, signal, onNotice } = context;
  const captured = await captureTree(folder, plan.folder, signal);
  try {
    const { payload } = captured;
    for (const warning of payload.warnings) onNotice(warning);
    // Files that the tree does not hold may be what a command fails for.
    const isTrusted = payload.warnings.length === 0;
    const green = !isTrusted ? null : validationKey({
      tree: payload.tree,
      cwd: payload.cwd,
      commands: plan.commands,
      where: plan.where ?? "",
      setup: setupOf(flags.setup, config?.config ?? {})?.command ?? null,
      env: plan.env,
    });
    const isKnown = await remember(
      options,
      (memory) => Promise.resolve(skipGreen && green !== null && memory.isGreen(green)),
    );
    if (isKnown) return "green";
    const validation = plan.wanted.kind === "local"
      ? await onThisMachine(options, captured, plan.wanted.isolation)
      : await onSidecar(options, captured);
    if (validation.passed) await remember(options, (memory) => memory.green(green));
    return validation;
  } finally {
    await captured.remove();
  }

  async function onThisMachine(
    { events, ports, onPlace }: ValidateOptions,
    { payload }: Captured,
    isolation: "auto" | "overlay" | "reflink" | "copy",
  ): Promise<Validation> {
    const { clock } = ports;
    const { env } = plan;
    const place = await openLocalPlace({ folder, payload, isolation, env, clock, signal });
    try {
      onPlace(place.place, payload.tree);
      return await runValidation(place, plan.commands, events);
    } finally {
      await place.close();
    }
  }

  function onSidecar(
    { events, ports, onPlace }: ValidateOptions,
    { payload }: Captured,
  ): Promise<Validation> {
    const where = plan.wanted.kind === "hosts" ? plan.wanted.where : undefined;
    const { clock } = ports;
    const setup = setupOf(flags.setup, config?.config ?? {});
    return withWarm(context, key, async (warm) => {
      const used = await warm.use({ where, ttlMs: flags.ttl ?? TTL_MS, create: true });
      const options = { folder, payload, setup, full: false, clock, signal, onNotice };
      await warm.withLink((link) => deliverTree(link, options));
      await warm.records.keep(key.id, { ...used.record, tree: payload.tree });
      onPlace(used.record.place, payload.tree);
      const place = {
        tree: payload.tree,
        place: used.record.place,
        run: (
          command: ValidateCommand,
          output: Pick<
            Parameters<typeof runRemote>[1],
            "onStdout" | "onStderr"
          >,
        ) => {
          let isAgain = false;
          return warm.withLink(async (link) => {
            // What the command had changed before the connection was lost is put back.
            if (isAgain) {
              onNotice(`the connection was lost: ${command.name} runs again`);
              await deliverTree(link, options);
            }
            isAgain = true;
            const { run, timeoutMs } = command;
            const { cwd } = payload;
            const { env } = plan;
            return await runRemote(link, { run, cwd, env, timeoutMs, ...output, clock, signal });
          });
        },
      };
      return await runValidation(place, plan.commands, events);
    });
  }
}

/** Does something with what the session remembers. */
export async function remember<Result>(
  { surroundings, key, ports }: Pick<ValidateOptions, "surroundings" | "key" | "ports">,
  work: (memory: ValidateMemory) => Promise<Result>,
): Promise<Result> {
  const { folder } = surroundings.context;
  const store = await openWarmStore(folder, ports.clock, ports.random);
  try {
    return await work(new ValidateMemory(new WarmRecords(store, ports.clock), key.id));
  } finally {
    await store.close();
  }
}
