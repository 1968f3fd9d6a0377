import * as assert from "uvu/assert";
import { ProgressState } from "../../runtime/cli/progress-state.ts";
import { LiveProgress } from "../../runtime/cli/views/live-progress.ts";
import { paletteFor } from "../../runtime/cli/views/palette.ts";
import { PlainProgress } from "../../runtime/cli/views/plain-progress.ts";
import { statusLine } from "../../runtime/cli/views/status-line.ts";
import { VirtualClock } from "../../runtime/engine/virtual-clock.ts";
import type { Progress } from "../../runtime/variants/campaign-request.ts";
import { suite } from "../harness.ts";
import { PassThrough } from "node:stream";
import { result } from "./report-kit.ts";

const test = suite("progress");

const PALETTE = paletteFor(new PassThrough(), {});

function verdict(id: string, status: "killed" | "survived", done: number): Progress {
  return { type: "verdict", result: result(id, { status }), done };
}

function running(state: ProgressState, total: number): void {
  state.apply({ type: "campaign", campaign: "c", total, resumed: 0, changed: [] }, 0);
  state.apply({ type: "phase", phase: "running" }, 10_000);
}

test("ProgressState tells the time that is left after three variants, without the baseline", () => {
  const state = new ProgressState(0);
  running(state, 10);
  state.apply(verdict("a", "killed", 1), 11_000);
  state.apply(verdict("b", "survived", 2), 12_000);
  assert.is(state.remainingMs(12_000), undefined);
  state.apply(verdict("c", "killed", 3), 13_000);
  assert.is(state.remainingMs(13_000), 7_000);
  assert.is(
    statusLine(state, 13_000, PALETTE),
    "3/10 variants, 1 survived, 2 killed, 13s elapsed, about 7.0s remaining",
  );
});

test("ProgressState tells no time where all that is left takes longer than the others did", () => {
  const state = new ProgressState(0);
  running(state, 4);
  state.apply({ type: "state", variant: "slow", worker: "w", state: "testing" }, 10_900);
  for (const [index, id] of ["a", "b", "c"].entries()) {
    state.apply(verdict(id, "killed", index + 1), 11_000);
  }
  assert.is(state.remainingMs(11_200), 400);
  // It waits to be confirmed alone, and runs again.
  state.apply({ type: "state", variant: "slow", worker: null, state: "waiting" }, 12_000);
  assert.is(state.remainingMs(12_000), undefined);
  state.apply({ type: "state", variant: "slow", worker: "w", state: "testing" }, 12_100);
  assert.is(state.remainingMs(12_200), undefined);
});

test("ProgressState takes a revoked verdict back", () => {
  const state = new ProgressState(0);
  running(state, 2);
  state.apply(verdict("a", "killed", 1), 11_000);
  state.apply({ type: "revoked", variant: "a", reason: "environment-broken" }, 12_000);
  assert.is(state.done, 0);
  assert.is(state.counts.killed, 0);
});

test("ProgressState knows what is being worked on", () => {
  const state = new ProgressState(0);
  state.apply({ type: "state", variant: "a", worker: "w", state: "patching" }, 1);
  state.apply({ type: "state", variant: "a", worker: "w", state: "testing", command: "t" }, 2);
  assert.equal(state.active, [{ variant: "a", state: "testing", command: "t", since: 2 }]);
  state.apply(verdict("a", "killed", 1), 3);
  assert.equal(state.active, []);
});

test("PlainProgress says the figures every ten seconds and a retry once", async () => {
  const clock = new VirtualClock();
  const state = new ProgressState(clock.now());
  let text = "";
  const view = new PlainProgress({
    state,
    clock,
    write: (part) => text += part,
    palette: PALETTE,
    loudness: "normal",
  });
  running(state, 4);
  const retry = { type: "retry", what: "w1", message: "connection refused" } as const;
  view.show(retry);
  view.show(retry);
  await clock.advance(9_999);
  assert.is(text, "retry w1: connection refused\n");
  await clock.advance(10_001);
  assert.is(
    text,
    "retry w1: connection refused\n0/4 variants, 10s elapsed\n0/4 variants, 20s elapsed\n",
  );
  view.close();
  await clock.advance(60_000);
  assert.is(text.split("\n").length, 4);
});

test("LiveProgress draws its block below what is said and leaves nothing of it", async () => {
  const clock = new VirtualClock();
  const state = new ProgressState(clock.now());
  let text = "";
  const view = new LiveProgress({
    state,
    clock,
    write: (part) => text += part,
    palette: PALETTE,
    loudness: "normal",
  });
  running(state, 4);
  const step = {
    type: "state",
    variant: "a",
    worker: "w",
    state: "testing",
    command: "t",
  } as const;
  state.apply(step, clock.now());
  view.show(step);
  await clock.advance(200);
  const found = verdict("b", "survived", 1);
  state.apply(found, clock.now());
  view.show(found);
  view.close();
  assert.equal(screen(text), ["SURVIVED b: what b does"]);
  assert.ok(text.includes("  testing  a t 0.20s\n"));
});

/** What a terminal shows in the end, for the few sequences that the view uses. */
function screen(text: string): string[] {
  const rows = [""];
  let at = 0;
  // deno-lint-ignore no-control-regex
  for (const [, code = "", kind, char] of text.matchAll(/\u001b\[(\??\d*)([A-Za-z])|([^])/g)) {
    if (kind === "A") at -= Number(code);
    else if (kind === "J") rows.splice(at, Infinity, "");
    else if (char === "\n") rows[++at] ??= "";
    else if (char !== undefined && char !== "\r") rows[at] += char;
  }
  return rows.filter((row) => row !== "");
}
