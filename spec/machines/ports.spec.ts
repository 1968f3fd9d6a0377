import * as assert from "uvu/assert";
import { createActor, fromCallback, fromPromise } from "xstate";
import type { NonReducibleUnknown, PromiseActorLogic } from "xstate";
import {
  campaignMachine,
  type CampaignPorts,
  provideCampaign,
  provideSidecar,
  provideVariantRun,
  sidecarMachine,
  type SidecarPorts,
  tellAction,
  variantRunMachine,
  type VariantRunPorts,
} from "../../machines/mod.ts";
import { callbackPort, promisePort } from "../../machines/ports.ts";
import { suite } from "../harness.ts";

const test = suite("ports");

function promised<Output, Input extends NonReducibleUnknown>(
  output: NoInfer<Output>,
): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => Promise.resolve(output));
}

test("promisePort() fails with the port's name and how to provide it", async () => {
  const actor = createActor(promisePort<string, { n: number }>("variantRun.lease"), {
    input: { n: 1 },
  });
  const error = await new Promise<unknown>((resolve) => {
    actor.subscribe({ error: resolve });
    actor.start();
  });
  assert.is(
    (error as Error).message,
    'Cannot run the port "variantRun.lease": give it to provideVariantRun({ lease })',
  );
});

test("callbackPort() fails with the port's name and how to provide it", () => {
  const actor = createActor(callbackPort<{ type: "X" }, { n: number }>("sidecar.watch"), {
    input: { n: 1 },
  });
  let failed: unknown;
  actor.subscribe({ error: (error) => void (failed = error) });
  actor.start();
  assert.is(
    (failed as Error).message,
    'Cannot run the port "sidecar.watch": give it to provideSidecar({ watch })',
  );
});

test("tellAction() does nothing", () => {
  assert.is(tellAction(null, { to: "a", event: { type: "X" } }), undefined);
});

test("provideVariantRun() does not compile without a port", () => {
  const ports: VariantRunPorts = {
    lease: promised({ sidecar: "s" }),
    sync: promised(undefined),
    patch: promised({ tree: "t" }),
    test: promised(
      { status: "killed", reason: null, command: "c", exitCode: 1, durationMs: 1 } as const,
    ),
    release: () => {},
  };
  provideVariantRun(ports);
  const { test: _test, ...withoutTest } = ports;
  const { release: _release, ...withoutRelease } = ports;
  // @ts-expect-error the port `test` is missing
  assert.type(provideVariantRun(withoutTest), "object");
  // @ts-expect-error the action `release` is missing
  assert.type(provideVariantRun(withoutRelease), "object");
  // @ts-expect-error a port of another output
  assert.type(provideVariantRun({ ...ports, lease: ports.patch }), "object");
});

test("provideSidecar() does not compile without a port", () => {
  const ports: SidecarPorts = {
    boot: promised({ endpoint: null }),
    sync: promised(undefined),
    watch: fromCallback(() => {}),
    attach: promised(undefined),
    destroy: promised(undefined),
  };
  provideSidecar(ports);
  const { destroy: _destroy, ...withoutDestroy } = ports;
  // @ts-expect-error the port `destroy` is missing
  assert.type(provideSidecar(withoutDestroy), "object");
});

test("provideCampaign() does not compile without a port", () => {
  const ports: CampaignPorts = {
    preflight: promised({
      planned: 0,
      rejected: { killed: 0, survived: 0, timeout: 0, error: 0, skipped: 0 },
    }),
    baseline: promised({ timeoutMs: {}, durationMs: 1 }),
    pool: fromCallback(() => {}),
    close: promised({ void: false, reason: null }),
  };
  provideCampaign(ports);
  const { pool: _pool, ...withoutPool } = ports;
  // @ts-expect-error the port `pool` is missing
  assert.type(provideCampaign(withoutPool), "object");
});

test("the machines bound the iterations of a macrostep", () => {
  for (const machine of [variantRunMachine, sidecarMachine, campaignMachine]) {
    assert.is(machine.options.maxIterations, 100);
  }
});
