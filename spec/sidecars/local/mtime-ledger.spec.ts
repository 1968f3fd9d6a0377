import * as assert from "uvu/assert";
import { MtimeLedger } from "../../../runtime/sidecars/local/mtime-ledger.ts";
import { suite } from "../../harness.ts";

const test = suite("mtime-ledger");

function ledgerAt(state: { now: number }): MtimeLedger {
  return new MtimeLedger({ now: () => state.now, setTimeout: () => 0, clearTimeout: () => {} });
}

test("next() answers the present second for a path that is old", () => {
  assert.is(ledgerAt({ now: 100_900 }).next("a", 5), 100);
});

test("next() never answers a path's second twice, however quickly it is asked", () => {
  const ledger = ledgerAt({ now: 100_900 });
  assert.equal([1, 2, 3].map(() => ledger.next("a")), [100, 102, 104]);
  assert.is(ledger.next("b"), 100);
});

test("next() goes two seconds beyond a time ahead of now", () => {
  assert.is(ledgerAt({ now: 100_900 }).next("a", 500.7), 502);
});

test("passNow() keeps later times out of the present second", () => {
  const state = { now: 100_900 };
  const ledger = ledgerAt(state);
  ledger.passNow();
  assert.is(ledger.next("a"), 101);
  state.now = 200_000;
  assert.is(ledger.next("b"), 200);
});
