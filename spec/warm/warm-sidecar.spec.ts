import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { parseHostName } from "../../runtime/sidecars/host-name.ts";
import { listWarm } from "../../runtime/warm/list-warm.ts";
import { warmKey } from "../../runtime/warm/warm-key.ts";
import type { WarmSidecar } from "../../runtime/warm/warm-sidecar.ts";
import { suite } from "../harness.ts";
import { QUICK, type WarmPlace, warmPlace } from "./warm-kit.ts";

const test = suite("warm sidecar");

const refused = (host: string) =>
  hostFailed(`${host} refuses connections`, { host, fault: "refused", kind: "while-booting" });

async function using<Result>(
  at: WarmPlace,
  work: (warm: WarmSidecar) => Promise<Result>,
  ...args: Parameters<WarmPlace["open"]>
): Promise<Result> {
  const warm = await at.open(...args);
  try {
    return await work(warm);
  } finally {
    await warm.close();
  }
}

const listed = (at: WarmPlace) => listWarm(at.folder, at.context.clock, at.context.random);

test("Create SetsActiveSidecar: use() makes a host of ours, and the next process takes it over", async () => {
  const at = await warmPlace();
  const first = await using(at, (warm) => warm.use(at.use));
  const second = await using(at, async (warm) => {
    const used = await warm.use({ ...at.use, where: undefined, create: false });
    assert.ok(warm.link);
    return used;
  });
  assert.equal([first.made, second.made], ["created", "found"]);
  assert.equal(at.hosts.asked.length, 1);
  const name = parseHostName(first.record.host);
  assert.is(name?.owner, at.folder.owner);
  assert.match(name?.run ?? "", /^w[0-9a-f]{11}1$/);
  assert.equal((await listed(at)).map(({ state }) => state), ["up"]);
});

test("use() finds the host of a lost reply by its name and makes no second one", async () => {
  const at = await warmPlace();
  let calls = 0;
  at.hosts.onCreate = ({ name }, when) => {
    calls++;
    if (when === "after") {
      throw hostFailed("no answer", { host: name, fault: "server-error", kind: "while-booting" });
    }
  };
  await using(at, (warm) => warm.use(at.use));
  assert.equal([calls, at.hosts.asked.length, at.hosts.there.size], [2, 1, 1]);
  assert.is(at.notices.filter((each) => each.includes("no answer")).length, 1);
});

test("use() retries a refused connection and says so once", async () => {
  const at = await warmPlace();
  let left = 3;
  at.hosts.before = (_command, host) => {
    if (left-- > 0) throw refused(host.name);
  };
  await using(at, (warm) => warm.use(at.use));
  assert.is(at.notices.length, 1, at.notices.join("\n"));
  assert.match(at.notices[0] ?? "", /mine: .* refuses connections; trying again/);
  assert.is(at.hosts.asked.length, 1);
});

test("SidecarSyncErrorKeepsStateOnOrdinaryFailure: use() replaces none for a refused connection", async () => {
  const at = await warmPlace();
  await using(at, (warm) => warm.use(at.use));
  let left = 2;
  at.hosts.before = (_command, host) => {
    if (left-- > 0) throw refused(host.name);
  };
  const used = await using(at, (warm) => warm.use(at.use));
  assert.is(used.made, "found");
  assert.is(at.hosts.asked.length, 1);
});

const REPLACED = {
  gone: "SidecarSyncErrorSignalsRetryWhenGone, ReapDropsStateForVanishedSidecar",
  paused: "SidecarPaused",
  outdated: "SidecarSyncErrorSignalsRetryWhenOutOfDate",
} as const;

for (const fault of ["gone", "paused", "outdated"] as const) {
  test(`${REPLACED[fault]}: use() replaces a sidecar that is ${fault} once, and says so`, async () => {
    const at = await warmPlace();
    const first = await using(at, (warm) => warm.use(at.use));
    at.hosts.before = (_command, host) => {
      if (host.name !== first.record.host) return;
      throw hostFailed(`it is ${fault}`, { host: host.name, fault, kind: "reconnect" });
    };
    const used = await using(at, (warm) => warm.use(at.use));
    assert.is(used.made, "replaced");
    assert.not.equal(used.record.host, first.record.host);
    assert.equal([...at.hosts.there.keys()], [used.record.host]);
    assert.ok(at.notices.some((each) => each.includes(`it is ${fault}`)), at.notices.join("\n"));
  });
}

test("use() gives up after one replacement", async () => {
  const at = await warmPlace();
  await using(at, (warm) => warm.use(at.use));
  at.hosts.there.clear();
  at.hosts.onCreate = ({ name }) => {
    throw hostFailed("no more", { host: name, fault: "limit-reached", kind: "never" });
  };
  const error = await using(at, (warm) => warm.use(at.use)).then(() => undefined, (error) => error);
  assert.is(error.code, "host-failed");
  assert.match(error.message, /no more/);
  assert.is(at.hosts.asked.length, 2);
});

test("use() without a place says what to configure", async () => {
  const at = await warmPlace();
  const asked = { ...at.use, where: undefined };
  const error = await using(at, (warm) => warm.use(asked)).then(() => undefined, (error) => error);
  assert.is(error.code, "usage");
  assert.match(error.message, /sidecar create --sidecar/);
  assert.is(at.hosts.asked.length, 0);
});

test("use() replaces a sidecar that has expired, and one that is elsewhere", async () => {
  const at = await warmPlace();
  await using(at, (warm) => warm.use({ ...at.use, ttlMs: 30_000 }));
  assert.is((await using(at, (warm) => warm.use(at.use))).made, "replaced");
  const where = { label: "other", sidecars: ["ssh://other"] };
  assert.is((await using(at, (warm) => warm.use({ ...at.use, where }))).made, "replaced");
  assert.equal(at.notices.map((each) => /has expired|is at/.exec(each)?.[0]), [
    "has expired",
    "is at",
  ]);
  assert.is(at.hosts.there.size, 1);
});

test("SessionKeyedSidecar: use() of two sessions never shares a sidecar", async () => {
  const at = await warmPlace();
  const keys = ["../../etc/x", "../../etc/y"].map((session) =>
    warmKey({ kind: "session", session })
  );
  const used = await Promise.all(keys.map((key) => using(at, (warm) => warm.use(at.use), key)));
  assert.is(new Set(used.map(({ record }) => record.host)).size, 2);
  for (const { record } of used) assert.ok(parseHostName(record.host), record.host);
});

test("open() waits for whoever has the key, and says for whom", async () => {
  const at = await warmPlace();
  const first = await at.open();
  let told: () => void = () => {};
  const waiting = new Promise<void>((resolve) => told = resolve);
  const order: string[] = [];
  const second = at.open(at.key, { onNotice: told }).then(async (warm) => {
    order.push("second");
    await warm.close();
  });
  await waiting;
  order.push("first");
  await first.close();
  await second;
  assert.equal(order, ["first", "second"]);
});

test("withLink() does the work again over a new connection", async () => {
  const at = await warmPlace();
  await using(at, async (warm) => {
    await warm.use(at.use);
    let calls = 0;
    const said = await warm.withLink(async ({ host }) => {
      if (++calls === 1) at.hosts.cut();
      let text = "";
      const onStdout = (chunk: Uint8Array) => text += new TextDecoder().decode(chunk);
      await host.exec({ command: "echo hello", onStdout, signal: at.context.signal });
      return text;
    });
    assert.equal([said, calls], ["hello\n", 2]);
  });
  assert.is(at.hosts.asked.length, 1);
});

test("use() that is cancelled while the host is made destroys it", async () => {
  const at = await warmPlace();
  const stop = new AbortController();
  at.hosts.onCreate = (_spec, when) => {
    if (when === "after") stop.abort(new Error("enough"));
  };
  at.hosts.before = (_command, host) => {
    throw refused(host.name);
  };
  const policy = { ...QUICK, maxAttempts: 1000 };
  const context = { signal: stop.signal, bootRetry: policy };
  const error = await using(at, (warm) => warm.use(at.use), at.key, context)
    .then(() => undefined, (error) => error);
  assert.is(error.message, "enough");
  assert.equal([at.hosts.asked.length, at.hosts.there.size], [1, 0]);
  assert.equal(await listed(at), []);
});

for (const disposable of [true, false]) {
  test(`ClearActive, ClearActiveNoop: destroy() leaves nothing, disposable: ${disposable}`, async () => {
    const at = await warmPlace({ disposable });
    await using(at, (warm) => warm.use(at.use));
    const ended = await using(at, (warm) => warm.destroy());
    assert.is(ended?.destroyed, true, ended?.message ?? "");
    assert.is(at.hosts.there.size, 0);
    assert.equal(await listed(at), []);
    assert.is(await using(at, (warm) => warm.destroy()), undefined);
  });
}

test("ReapStopsResurrection: use() after destroy() makes a host with a name of its own", async () => {
  const at = await warmPlace();
  const first = await using(at, (warm) => warm.use(at.use));
  await using(at, (warm) => warm.destroy());
  const second = await using(at, (warm) => warm.use(at.use));
  assert.is(second.made, "created");
  assert.not.equal(second.record.host, first.record.host);
});

test("destroy() that fails keeps the record and names the host", async () => {
  const at = await warmPlace();
  await using(at, (warm) => warm.use(at.use));
  at.hosts.onDestroy = ({ name }) => {
    throw hostFailed("not now", { host: name, fault: "bad-request", kind: "never" });
  };
  const ended = await using(at, (warm) => warm.destroy());
  assert.equal([ended?.destroyed, ended?.message], [false, "not now"]);
  assert.equal((await listed(at)).length, 1);
  at.hosts.onDestroy = () => {};
  assert.is((await using(at, (warm) => warm.destroy()))?.destroyed, true);
});

test("destroy() that does not come back names the host that may be left", async () => {
  const at = await warmPlace();
  const made = await using(at, (warm) => warm.use(at.use));
  let comeBack: () => void = () => {};
  const away = new Promise<void>((resolve) => comeBack = resolve);
  const clock = {
    ...systemClock,
    // Its patience is over at once.
    setTimeout: (callback: () => void, delayMs: number) =>
      systemClock.setTimeout(callback, delayMs === 60_000 ? 0 : delayMs),
  };
  const open = () => Promise.resolve({ ...at.hosts, destroy: () => away });
  const ended = await using(
    at,
    async (warm) => {
      try {
        return await warm.destroy();
      } finally {
        comeBack();
      }
    },
    at.key,
    { clock, open },
  );
  assert.equal([ended?.host, ended?.destroyed], [made.record.host, false]);
  assert.match(ended?.message ?? "", "60000 ms");
});
