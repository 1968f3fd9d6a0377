import * as assert from "uvu/assert";
import { VirtualClock } from "../../../runtime/engine/virtual-clock.ts";
import { nextTurn } from "../../../runtime/next-turn.ts";
import { DialGate } from "../../../runtime/sidecars/ssh/dial-gate.ts";
import { AUTHENTICATION_PAUSE_MS } from "../../../runtime/ssh/classify-ssh.ts";
import { suite } from "../../harness.ts";

const test = suite("DialGate");
const { signal } = new AbortController();

interface Dial {
  readonly run: () => Promise<void>;
  readonly end: () => void;
}

function dial(name: string, log: string[]): Dial {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => end = resolve);
  return {
    run: () => {
      log.push(name);
      return ended;
    },
    end: () => end(),
  };
}

test("pass() lets one dial at a time go to a host, and others to other hosts", async () => {
  const gate = new DialGate(new VirtualClock());
  const log: string[] = [];
  const [one, two, other] = ["one", "two", "other"].map((name) => dial(name, log)) as [
    Dial,
    Dial,
    Dial,
  ];
  const first = gate.pass("a", signal, one.run);
  const second = gate.pass("a", signal, two.run);
  const third = gate.pass("b", signal, other.run);
  other.end();
  await third;
  assert.equal(log.sort(), ["one", "other"]);
  one.end();
  await first;
  two.end();
  await second;
  assert.is(log.at(-1), "two");
});

test("pass() lets nobody beside a dial after one that was given up in the queue", async () => {
  const gate = new DialGate(new VirtualClock());
  const log: string[] = [];
  const first = dial("one", log);
  const one = gate.pass("a", signal, first.run);
  const abort = new AbortController();
  const given = gate.pass("a", abort.signal, dial("never", log).run).catch(() => "given up");
  abort.abort(new Error("given up"));
  assert.is(await given, "given up");
  const last = gate.pass("a", signal, () => Promise.resolve(log.push("last")));
  await nextTurn();
  assert.equal(log, ["one"]);
  first.end();
  await one;
  await last;
  assert.equal(log, ["one", "last"]);
});

test("pass() goes on after a dial that failed, and after one that was given up", async () => {
  const gate = new DialGate(new VirtualClock());
  const log: string[] = [];
  const first = dial("one", log);
  const one = gate.pass("a", signal, first.run);
  const abort = new AbortController();
  const given = gate.pass("a", abort.signal, dial("never", log).run);
  const failed = gate.pass("a", signal, () => Promise.reject(new Error("no answer")));
  const last = gate.pass("a", signal, () => Promise.resolve(log.push("last")));
  abort.abort(new Error("given up"));
  await given.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "given up"),
  );
  first.end();
  await one;
  await failed.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "no answer"),
  );
  await last;
  assert.equal(log, ["one", "last"]);
});

test("pass() after holdBack() waits six seconds by the clock; welcome() ends the wait", async () => {
  const clock = new VirtualClock();
  const gate = new DialGate(clock);
  const log: string[] = [];
  gate.holdBack("a");
  const late = gate.pass("a", signal, () => Promise.resolve(log.push("a")));
  await gate.pass("b", signal, () => Promise.resolve(log.push("b")));
  await clock.advance(AUTHENTICATION_PAUSE_MS - 1);
  assert.equal(log, ["b"]);
  await clock.advance(1);
  await late;
  assert.equal(log, ["b", "a"]);
  gate.holdBack("a");
  gate.welcome("a");
  await gate.pass("a", signal, () => Promise.resolve(log.push("again")));
  assert.is(log.at(-1), "again");
});

test("a wait that is given up leaves no timer and lets the next one wait", async () => {
  const clock = new VirtualClock();
  const gate = new DialGate(clock);
  gate.holdBack("a");
  const abort = new AbortController();
  const given = gate.pass("a", abort.signal, () => Promise.resolve());
  await clock.advance(1);
  abort.abort(new Error("given up"));
  await given.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "given up"),
  );
  assert.is(clock.next(), undefined);
  const next = gate.pass("a", signal, () => Promise.resolve("through"));
  await clock.advance(AUTHENTICATION_PAUSE_MS);
  assert.is(await next, "through");
});
