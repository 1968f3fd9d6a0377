import * as assert from "uvu/assert";
import type { CampaignRequest } from "../../runtime/variants/campaign-request.ts";
import { campaignKey, changedParts, type KeyInput } from "../../runtime/variants/campaign-key.ts";
import { suite } from "../harness.ts";

const test = suite("campaign-key");

const request = {
  variants: [{ id: "a", description: "", patch: "x" }],
  builds: [],
  commands: [{ name: "test", run: "make test" }],
  workers: 2,
  timeoutMs: null,
  timeoutMultiplier: 5,
  minimumTimeoutMs: 1,
  killExitCodes: "default",
  baseline: "run",
} as unknown as CampaignRequest;

const base: KeyInput = {
  request,
  payload: { tree: "t", cwd: "" },
  kind: "overlay",
  env: { PATH: "/bin", HOME: "/home" },
  machines: ["a", "b"],
};

test("campaignKey() differs in the part that differs, and says which", () => {
  const others: readonly (readonly [string, KeyInput])[] = [
    ["payload", { ...base, payload: { tree: "u", cwd: "" } }],
    ["directory", { ...base, payload: { tree: "t", cwd: "packages" } }],
    ["variants", {
      ...base,
      request: { ...request, variants: [{ id: "a", description: "", patch: "y" }] },
    }],
    ["commands", { ...base, request: { ...request, commands: [{ name: "test", run: "true" }] } }],
    ["environment", { ...base, env: { PATH: "/usr/bin" } }],
    ["sidecars", { ...base, kind: "copy" }],
    ["timeouts", { ...base, request: { ...request, timeoutMs: 5 } }],
    ["kill codes", { ...base, request: { ...request, killExitCodes: [1] } }],
    ["sidecanary", { ...base, machines: ["a", "c"] }],
    ["baseline", { ...base, request: { ...request, baseline: "skip" } }],
  ];
  const key = campaignKey(base);
  for (const [part, input] of others) {
    const other = campaignKey(input);
    assert.is.not(other.key, key.key, part);
    assert.equal(changedParts(key, other), [part]);
  }
});

test("campaignKey() does not depend on what verdicts do not depend on", () => {
  const variants = [{ id: "a", description: "other words", patch: "x", tags: ["t"] }];
  const same = campaignKey({
    ...base,
    request: { ...request, workers: 7, variants },
    env: { PATH: "/bin", HOME: "/elsewhere", TERM: "dumb" },
  });
  assert.is(same.key, campaignKey(base).key);
});
