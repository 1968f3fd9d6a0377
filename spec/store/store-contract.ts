import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import type { Store } from "../../runtime/store/store.ts";
import { commitOf, committed, dump, HASHES, letter, tell, timer, transition } from "./builders.ts";

/** What every store must do, a test for each sentence of store.ts. `open` answers an empty store. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  const test = suite(`${name}: store contract`);
  const on = (title: string, body: (store: Store) => Promise<void>) =>
    test(title, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  commits(on);
  refusals(on);
  deadLetters(on);
  leases(on);
  claims(on);
  dueTimes(on);
  settlements(on);
  records(on);
  queries(on);
  pruning(on);
  life(on, test, open);
}

type On = (title: string, body: (store: Store) => Promise<void>) => void;

const claimBy = (owner: string, now = 10, more = {}) => ({
  owner,
  hashes: HASHES,
  now,
  until: now + 100,
  limit: 10,
  ...more,
});

function commits(on: On): void {
  on("commit() writes the actor, its journal row and its effects", async (store) => {
    const [row] = await committed(
      store,
      commitOf([transition("a", 1, { outbox: [{}, { kind: "announce" }] })]),
    );
    assert.equal(row, {
      id: "a",
      machine: "m",
      hash: "h1",
      revision: 1,
      base: 1,
      epoch: 1,
      status: "active",
      state: '{"revision":1}',
      supervisor: null,
      owner: null,
      leaseUntil: 0,
      updatedAt: 1,
    });
    assert.equal(await store.read("a"), row);
    assert.equal(await store.journal("a", 1, 10), [{
      seq: 1,
      actor: "a",
      revision: 1,
      eventId: "e1",
      event: '{"type":"E1"}',
      cause: null,
      at: 1,
      edges: "[]",
      change: "{}",
    }]);
    const outbox = await store.outbox("a", 10);
    assert.equal(outbox.map((each) => [each.id, each.kind, each.state, each.claimed]), [
      ["a:1:0", "invoke", "open", null],
      ["a:1:1", "announce", "open", null],
    ]);
  });

  on("commit() answers the stepped actors in the order of the transitions", async (store) => {
    const rows = await committed(store, commitOf([transition("b", 1), transition("a", 1)]));
    assert.equal(rows.map((row) => row.id), ["b", "a"]);
  });

  on(
    "commit() keeps what the transition replaces: status, hash, supervisor, state",
    async (store) => {
      await committed(store, commitOf([transition("a", 1)]));
      const actor = { status: "crashed", hash: "h2", supervisor: "s", state: "{}" } as const;
      const [row] = await committed(store, commitOf([transition("a", 2, { actor })]));
      assert.equal(await store.read("a"), row);
      assert.equal([row!.status, row!.hash, row!.supervisor, row!.state, row!.base], [
        "crashed",
        "h2",
        "s",
        "{}",
        1,
      ]);
    },
  );

  on(
    "commit() of several transitions leaves no trace when one of them is refused",
    async (store) => {
      await committed(store, commitOf([transition("b", 1)]));
      const before = await dump(store, ["a", "b"]);
      const result = await store.commit(commitOf([
        transition("a", 1, {
          outbox: [{}],
          tells: [tell("b", "t")],
          timersSet: [timer("a", "x", 1)],
        }),
        transition("b", 1, { journal: { eventId: "other" } }),
      ], {
        records: [{ collection: "c", key: "k", value: "1" }],
        deadLetters: [letter("b", "d")],
      }));
      assert.is(result.outcome, "conflict");
      assert.equal(await dump(store, ["a", "b"]), before);
    },
  );

  on("commit() steps one actor several times, each on what those before left", async (store) => {
    const rows = await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{}] }),
        transition("a", 2, { settled: ["a:1:0"] }),
        transition("a", 3),
      ]),
    );
    assert.equal(rows.map((row) => row.revision), [3, 3, 3]);
    assert.equal((await store.journal("a", 1, 10)).map((row) => row.revision), [1, 2, 3]);
    assert.is((await store.outbox("a", 10))[0]!.state, "done");
  });

  on("commit() removes the inbox row of the event it applies", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    await committed(
      store,
      commitOf([transition("a", 2, { tells: [tell("b", "t1"), tell("b", "t2")] })]),
    );
    await committed(store, commitOf([transition("b", 2, { journal: { eventId: "t1" } })]));
    assert.equal((await store.inbox("b", 10)).map((row) => row.eventId), ["t2"]);
  });

  on("commit() keeps tells in the order of arrival", async (store) => {
    const tells = ["z", "y", "x"].map((id) => tell("b", id, "a:1"));
    await committed(store, commitOf([transition("a", 1, { tells }), transition("b", 1)]));
    const rows = await store.inbox("b", 10);
    assert.equal(rows.map((row) => [row.eventId, row.cause]), [["z", "a:1"], ["y", "a:1"], [
      "x",
      "a:1",
    ]]);
    assert.ok(rows[0]!.seq < rows[1]!.seq && rows[1]!.seq < rows[2]!.seq);
  });

  on("commit() skips a tell that waits, was applied or is a dead letter", async (store) => {
    await committed(store, commitOf([transition("b", 1)], { deadLetters: [letter("b", "dead")] }));
    const tells = [tell("b", "t"), tell("b", "t"), tell("b", "e1"), tell("b", "dead")];
    await committed(store, commitOf([transition("a", 1, { tells })]));
    await committed(store, commitOf([transition("a", 2, { tells: [tell("b", "t")] })]));
    assert.equal((await store.inbox("b", 10)).map((row) => row.eventId), ["t"]);
  });

  on("commit() takes a tell to an actor that is not there yet", async (store) => {
    await committed(store, commitOf([transition("a", 1, { tells: [tell("later", "t")] })]));
    assert.is(await store.read("later"), undefined);
    assert.equal(await store.claim(claimBy("o")), []);
    await committed(store, commitOf([transition("later", 1)]));
    const [work] = await store.claim(claimBy("o"));
    assert.equal([work!.actor.id, work!.inbox[0]!.eventId], ["later", "t"]);
  });

  on(
    "commit() sets, replaces and clears timers; clearing one that is gone is no error",
    async (store) => {
      const timersSet = [timer("a", "x", 5), timer("a", "y", 3), timer("a", "z", 4)];
      await committed(store, commitOf([transition("a", 1, { timersSet })]));
      await committed(
        store,
        commitOf([
          transition("a", 2, { timersSet: [timer("a", "x", 1)], timersCleared: ["y", "nope"] }),
        ]),
      );
      assert.equal((await store.timers("a", 10)).map((row) => [row.id, row.due]), [["x", 1], [
        "z",
        4,
      ]]);
    },
  );

  on("commit() clears timers before it sets them", async (store) => {
    await committed(store, commitOf([transition("a", 1, { timersSet: [timer("a", "x", 5)] })]));
    await committed(
      store,
      commitOf([transition("a", 2, { timersSet: [timer("a", "x", 9)], timersCleared: ["x"] })]),
    );
    assert.equal(await store.timers("a", 10), [timer("a", "x", 9)]);
  });

  on("commit() ends open effects of the same actor only, and only once", async (store) => {
    await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{}, {}, {}] }),
        transition("b", 1, { outbox: [{}] }),
      ]),
    );
    await committed(
      store,
      commitOf([
        transition("a", 2, { settled: ["a:1:0", "b:1:0"], cancelled: ["a:1:1", "a:1:0"] }),
      ]),
    );
    const states = async (id: string) => (await store.outbox(id, 10)).map((row) => row.state);
    assert.equal(await states("a"), ["done", "cancelled", "open"]);
    assert.equal(await states("b"), ["open"]);
  });

  on("commit() refuses what contradicts itself with a TypeError", async (store) => {
    const bad = [
      commitOf([transition("a", 1, { journal: { revision: 2 } })]),
      commitOf([transition("a", 1, { journal: { actor: "b" } })]),
      commitOf([transition("a", 1, { timersSet: [timer("b", "x", 1)] })]),
      commitOf([transition("a", 1, { outbox: [{ actor: "b" }] })]),
      commitOf([transition("a", 1), transition("a", 2, { journal: { eventId: "e1" } })]),
      commitOf([transition("a\0", 1)]),
    ];
    for (const commit of bad) {
      const error = await rejection(store.commit(commit));
      assert.instance(error, TypeError);
    }
    assert.equal(await store.feed(0, 10), []);
  });
}

function refusals(on: On): void {
  on(
    "commit() of a known event answers duplicate with the revision that applied it",
    async (store) => {
      await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
      const again = transition("a", 3, { journal: { eventId: "e1" } });
      assert.equal(await store.commit(commitOf([again])), {
        outcome: "duplicate",
        actor: "a",
        eventId: "e1",
        earlier: { kind: "applied", revision: 1 },
      });
    },
  );

  on("commit() of a dead-lettered event answers duplicate with the reason", async (store) => {
    await committed(store, commitOf([transition("a", 1)], { deadLetters: [letter("a", "x")] }));
    assert.equal(
      await store.commit(commitOf([transition("a", 2, { journal: { eventId: "x" } })])),
      {
        outcome: "duplicate",
        actor: "a",
        eventId: "x",
        earlier: { kind: "dead-letter", reason: "unwanted" },
      },
    );
  });

  on("commit() takes one event id for two actors", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    assert.is((await store.feed(0, 10)).length, 2);
  });

  on("commit() from an old revision answers conflict with the actor as it is", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
    const result = await store.commit(
      commitOf([transition("a", 2, { journal: { eventId: "n" } })]),
    );
    assert.equal(result, { outcome: "conflict", actor: "a", current: await store.read("a") });
  });

  on("commit() for an actor that is not there answers conflict with null", async (store) => {
    assert.equal(await store.commit(commitOf([transition("a", 2)])), {
      outcome: "conflict",
      actor: "a",
      current: null,
    });
  });

  on("commit() of a new actor answers conflict where there is one", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const result = await store.commit(
      commitOf([transition("a", 1, { journal: { eventId: "n" } })]),
    );
    assert.is(result.outcome, "conflict");
  });

  on("commit() with another fence than the epoch answers fenced", async (store) => {
    await committed(store, commitOf([transition("a", 1, { actor: { epoch: 4 } })]));
    assert.equal(await store.commit(commitOf([transition("a", 2, { fence: 3 })])), {
      outcome: "fenced",
      actor: "a",
      epoch: 4,
    });
    await committed(store, commitOf([transition("a", 2, { fence: 4 })]));
  });

  on("commit() compares the fences with the epochs from before the commit", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const steps = [transition("a", 2, { fence: 1 }), transition("a", 3, { fence: 1 })];
    await committed(store, commitOf(steps, { lease: { owner: "o", until: 50 } }));
    assert.is((await store.read("a"))!.epoch, 2);
  });

  on("commit() with an unexpected record version answers record-conflict", async (store) => {
    const records = [{ collection: "c", key: "k", value: "1", expected: 0 }];
    await committed(store, commitOf([], { records }));
    assert.equal(await store.commit(commitOf([transition("a", 1)], { records })), {
      outcome: "record-conflict",
      collection: "c",
      key: "k",
      version: 1,
    });
    assert.is(await store.read("a"), undefined);
  });

  on("commit() checks event ids, then revisions, then fences, then records", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    const records = [{ collection: "c", key: "k", value: "1", expected: 7 }];
    const outcome = async (...steps: Parameters<typeof commitOf>[0]) =>
      (await store.commit(commitOf(steps, { records }))).outcome;
    const known = { journal: { eventId: "e1" } };
    const fine = transition("b", 2);
    assert.is(
      await outcome(transition("a", 5, { fence: 9 }), transition("b", 2, known)),
      "duplicate",
    );
    assert.is(await outcome(transition("a", 2, { fence: 9 }), transition("b", 5)), "conflict");
    assert.is(await outcome(transition("a", 2, { fence: 9 }), fine), "fenced");
    assert.is(await outcome(transition("a", 2, { fence: 1 }), fine), "record-conflict");
  });

  on("commit() finds duplicates in a long journal", async (store) => {
    const steps = Array.from({ length: 40 }, (_, at) => transition("a", at + 1));
    await committed(store, commitOf(steps));
    for (const revision of [1, 20, 40]) {
      const again = transition("a", 41, { journal: { eventId: `e${revision}` } });
      const result = await store.commit(commitOf([again]));
      assert.equal(result.outcome === "duplicate" && result.earlier, { kind: "applied", revision });
    }
  });
}

function deadLetters(on: On): void {
  on("commit() keeps dead letters and removes their inbox rows", async (store) => {
    await committed(
      store,
      commitOf([transition("a", 1, { tells: [tell("a", "t"), tell("a", "u")] })]),
    );
    const dead = letter("a", "t", { error: '{"name":"E","message":"m"}' });
    await committed(store, commitOf([], { deadLetters: [dead] }));
    assert.equal(await store.deadLetters("a", 10), [dead]);
    assert.equal((await store.inbox("a", 10)).map((row) => row.eventId), ["u"]);
  });

  on("commit() with a dead letter of an effect makes its open row dead", async (store) => {
    await committed(store, commitOf([transition("a", 1, { outbox: [{}, {}] })]));
    await committed(store, commitOf([], { deadLetters: [letter("a", "a:1:1")] }));
    assert.equal((await store.outbox("a", 10)).map((row) => row.state), ["open", "dead"]);
  });

  on("commit() with a known dead letter is a duplicate beside transitions", async (store) => {
    await committed(store, commitOf([], { deadLetters: [letter("a", "x")] }));
    const result = await store.commit(
      commitOf([transition("a", 1)], { deadLetters: [letter("a", "x")] }),
    );
    assert.equal(result, {
      outcome: "duplicate",
      actor: "a",
      eventId: "x",
      earlier: { kind: "dead-letter", reason: "unwanted" },
    });
    assert.is(await store.read("a"), undefined);
  });

  on("commit() of dead letters alone skips those it has", async (store) => {
    await committed(store, commitOf([], { deadLetters: [letter("a", "x")] }));
    const deadLetters = [letter("a", "x", { reason: "again" }), letter("a", "y")];
    assert.equal(await store.commit(commitOf([], { deadLetters })), {
      outcome: "committed",
      actors: [],
    });
    assert.equal((await store.deadLetters("a", 10)).map((row) => [row.eventId, row.reason]), [
      ["x", "unwanted"],
      ["y", "unwanted"],
    ]);
  });

  on("commit() never makes a dead letter of an applied event", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    await committed(store, commitOf([], { deadLetters: [letter("a", "e1")] }));
    assert.equal(await store.deadLetters("a", 10), []);
    const result = await store.commit(
      commitOf([transition("b", 1)], { deadLetters: [letter("a", "e1")] }),
    );
    assert.equal(result, {
      outcome: "duplicate",
      actor: "a",
      eventId: "e1",
      earlier: { kind: "applied", revision: 1 },
    });
  });
}

function leases(on: On): void {
  const step = (store: Store, revision: number, owner: string, now: number, until = now + 100) =>
    committed(
      store,
      commitOf([transition("a", revision, { outbox: [{}] })], { lease: { owner, until }, now }),
    );

  on("commit() takes a free lease, which begins an epoch", async (store) => {
    const [row] = await step(store, 1, "o", 10, 60);
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["o", 60, 2]);
    assert.is((await store.outbox("a", 10))[0]!.claimed, 2);
  });

  on(
    "commit() prolongs its own lease, even an expired one, and never shortens it",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      const [longer] = await step(store, 2, "o", 70, 170);
      assert.equal([longer!.leaseUntil, longer!.epoch], [170, 2]);
      const [same] = await step(store, 3, "o", 80, 100);
      assert.equal([same!.leaseUntil, same!.epoch], [170, 2]);
    },
  );

  on("commit() leaves another's lease alone, and its effects to the holder", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [row] = await step(store, 2, "p", 59);
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch, row!.revision], ["o", 60, 2, 2]);
    assert.equal((await store.outbox("a", 10)).map((each) => each.claimed), [2, null]);
    const [work] = await store.claim(claimBy("o", 59));
    assert.equal(work!.outbox.map((each) => each.id), ["a:2:0"]);
  });

  on(
    "commit() takes a lease at the moment it expires, and frees what was claimed",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      const [row] = await step(store, 2, "p", 60, 160);
      assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["p", 160, 3]);
      assert.equal((await store.outbox("a", 10)).map((each) => each.claimed), [null, 3]);
    },
  );

  on("commit() without a lease keeps the stored one", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [row] = await committed(store, commitOf([transition("a", 2)], { now: 70 }));
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["o", 60, 2]);
  });

  on("commit() writes a higher epoch, never a lower one", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [restarted] = await committed(
      store,
      commitOf([transition("a", 2, { actor: { epoch: 7 } })]),
    );
    assert.is(restarted!.epoch, 7);
    assert.is((await store.outbox("a", 10))[0]!.claimed, null);
    const [lower] = await committed(store, commitOf([transition("a", 3, { actor: { epoch: 3 } })]));
    assert.is(lower!.epoch, 7);
  });

  on("renew() prolongs what the owner holds and answers the rest", async (store) => {
    await step(store, 1, "o", 10, 60);
    await committed(store, commitOf([transition("b", 1)]));
    assert.equal(await store.renew("o", ["a", "b", "nobody"], 500), ["b", "nobody"]);
    assert.is((await store.read("a"))!.leaseUntil, 500);
    assert.equal(await store.renew("p", ["a"], 900), ["a"]);
    assert.equal(await store.renew("o", ["a"], 100), []);
    assert.is((await store.read("a"))!.leaseUntil, 500);
  });

  on("release() gives back only what the owner holds", async (store) => {
    await step(store, 1, "o", 10, 60);
    await store.release("p", ["a", "nobody"]);
    assert.is((await store.read("a"))!.owner, "o");
    await store.release("o", ["a"]);
    const row = (await store.read("a"))!;
    assert.equal([row.owner, row.leaseUntil, row.epoch], [null, 0, 2]);
  });

  on(
    "release() frees effects that were handed out, and the next holder begins an epoch",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      assert.equal(await store.claim(claimBy("p", 20)), []);
      await store.release("o", ["a"]);
      const [work] = await store.claim(claimBy("p", 20));
      assert.equal([work!.actor.owner, work!.actor.epoch], ["p", 3]);
      assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
    },
  );
}

function claims(on: On): void {
  on("claim() hands over due effects, the inbox and due timers, with the lease", async (store) => {
    await committed(
      store,
      commitOf([transition("a", 1, {
        outbox: [{ due: 10 }, { due: 11 }, { due: 0 }],
        tells: [tell("a", "t"), tell("a", "s")],
        timersSet: [timer("a", "late", 11), timer("a", "y", 10), timer("a", "x", 9)],
      })]),
    );
    const [work, ...rest] = await store.claim(claimBy("o"));
    assert.equal(rest, []);
    assert.equal(work!.actor, {
      ...(await store.read("a"))!,
      owner: "o",
      leaseUntil: 110,
      epoch: 2,
    });
    assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 2], ["a:1:2", 2]]);
    assert.equal(work!.inbox.map((row) => row.eventId), ["t", "s"]);
    assert.equal(work!.timers.map((row) => row.id), ["x", "y"]);
    assert.equal((await store.outbox("a", 10)).map((row) => row.claimed), [2, null, 2]);
  });

  on("claim() hands an effect out once in an epoch", async (store) => {
    await committed(store, commitOf([transition("a", 1, { outbox: [{}] })]));
    assert.is((await store.claim(claimBy("o"))).length, 1);
    assert.equal(await store.claim(claimBy("o")), []);
  });

  on("claim() hands effects out again when the actor's epoch rose", async (store) => {
    const step = transition("a", 1, { outbox: [{}] });
    await committed(store, commitOf([step], { lease: { owner: "o", until: 100 } }));
    await committed(store, commitOf([transition("a", 2, { actor: { epoch: 3 } })]));
    const [work] = await store.claim(claimBy("o"));
    assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
  });

  on("claim() leaves actors alone that another holds, until the lease expires", async (store) => {
    const steps = [transition("a", 1, { tells: [tell("a", "t")] })];
    await committed(store, commitOf(steps, { lease: { owner: "o", until: 50 } }));
    assert.equal(await store.claim(claimBy("p", 49)), []);
    const [work] = await store.claim(claimBy("p", 50));
    assert.equal([work!.actor.owner, work!.actor.leaseUntil, work!.actor.epoch], ["p", 150, 3]);
  });

  on("claim() adopts an actor whose holder died with effects handed out", async (store) => {
    const steps = [transition("a", 1, { outbox: [{}, { due: 500 }] })];
    await committed(store, commitOf(steps, { lease: { owner: "o", until: 50 } }));
    assert.equal(await store.claim(claimBy("o", 60)), []);
    assert.equal(await store.claim(claimBy("p", 49)), []);
    const [work] = await store.claim(claimBy("p", 60));
    assert.is(work!.actor.epoch, 3);
    assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
    assert.equal((await store.outbox("a", 10)).map((row) => row.claimed), [3, null]);
    const [later] = await store.claim(claimBy("p", 500));
    assert.equal(later!.outbox.map((row) => row.id), ["a:1:1"]);
  });

  on("claim() leaves an idle actor alone, also one whose lease expired", async (store) => {
    await committed(store, commitOf([transition("a", 1)], { lease: { owner: "o", until: 50 } }));
    assert.equal(await store.claim(claimBy("p", 60)), []);
    assert.is((await store.read("a"))!.owner, "o");
  });

  on("claim() looks only at actors of the definitions it is given", async (store) => {
    const outbox = [{}];
    await committed(store, commitOf([transition("a", 1, { outbox, actor: { hash: "h2" } })]));
    assert.equal(await store.claim(claimBy("o")), []);
    assert.equal(await store.claim(claimBy("o", 10, { hashes: [] })), []);
    assert.is((await store.claim(claimBy("o", 10, { hashes: ["h1", "h2"] }))).length, 1);
  });

  on("claim() takes up to `limit` actors, earliest due first", async (store) => {
    await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{ due: 5 }, { due: 9 }] }),
        transition("b", 1, { timersSet: [timer("b", "x", 3)] }),
        transition("c", 1, { outbox: [{ due: 4 }, { due: 4 }, { due: 4 }] }),
        transition("d", 1),
        transition("e", 1, { tells: [tell("e", "t")] }),
      ], { now: 6 }),
    );
    const ids = async (limit: number, owner: string) =>
      (await store.claim(claimBy(owner, 10, { limit }))).map((work) => work.actor.id);
    assert.equal(await ids(0, "o"), []);
    assert.equal(await ids(2, "o"), ["b", "c"]);
    assert.equal(await ids(10, "p"), ["a", "e"]);
  });

  on("claim() is fair to an actor behind one with much work", async (store) => {
    const outbox = Array.from({ length: 50 }, () => ({ due: 1 }));
    await committed(
      store,
      commitOf([transition("a", 1, { outbox }), transition("b", 1, { outbox: [{ due: 2 }] })]),
    );
    const work = await store.claim(claimBy("o", 10, { limit: 2 }));
    assert.equal(work.map((each) => [each.actor.id, each.outbox.length]), [["a", 50], ["b", 1]]);
  });

  on("claim() by racing owners gives each actor to one", async (store) => {
    const ids = Array.from({ length: 30 }, (_, at) => `a${at}`);
    await committed(store, commitOf(ids.map((id) => transition(id, 1, { outbox: [{}] }))));
    const owners = ["o", "p", "q", "r"];
    const works = await Promise.all(owners.map((owner) => store.claim(claimBy(owner))));
    const claimed = works.flat().map((work) => work.actor.id);
    assert.is(new Set(claimed).size, claimed.length);
    assert.is(claimed.length, 30);
  });
}

function dueTimes(on: On): void {
  on("nextDue() is undefined where nothing waits", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    assert.is(await store.nextDue("o", HASHES, 10), undefined);
  });

  on("nextDue() is the earliest of effects and timers, and never before now", async (store) => {
    const more = { outbox: [{ due: 70 }, { due: 40 }], timersSet: [timer("a", "x", 30)] };
    await committed(store, commitOf([transition("a", 1, more)]));
    assert.is(await store.nextDue("o", HASHES, 10), 30);
    assert.is(await store.nextDue("o", HASHES, 35), 35);
    assert.is(await store.nextDue("o", ["h2"], 10), undefined);
    await committed(store, commitOf([transition("a", 2, { timersCleared: ["x"] })]));
    assert.is(await store.nextDue("o", HASHES, 10), 40);
  });

  on("nextDue() is now where an event waits", async (store) => {
    await committed(store, commitOf([transition("a", 1, { tells: [tell("a", "t")] })]));
    assert.is(await store.nextDue("o", HASHES, 20), 20);
  });

  on("nextDue() waits for the end of another's lease", async (store) => {
    const step = transition("a", 1, { timersSet: [timer("a", "x", 30)] });
    const far = transition("b", 1, { timersSet: [timer("b", "x", 40)] });
    await committed(store, commitOf([step], { lease: { owner: "o", until: 50 } }));
    assert.is(await store.nextDue("o", HASHES, 10), 30);
    assert.is(await store.nextDue("p", HASHES, 10), 50);
    await committed(store, commitOf([far]));
    assert.is(await store.nextDue("p", HASHES, 10), 40);
  });

  on("nextDue() tells when the effects of another holder could be adopted", async (store) => {
    const step = transition("a", 1, { outbox: [{}] });
    await committed(store, commitOf([step], { lease: { owner: "o", until: 50 } }));
    assert.is(await store.nextDue("o", HASHES, 10), undefined);
    assert.is(await store.nextDue("p", HASHES, 10), 50);
    assert.is(await store.nextDue("p", HASHES, 60), 60);
    await store.release("o", ["a"]);
    assert.is(await store.nextDue("p", HASHES, 10), 10);
  });

  on("nextDue() does not wait for effects of its own that run", async (store) => {
    await committed(store, commitOf([transition("a", 1, { outbox: [{}] })]));
    await store.claim(claimBy("o"));
    assert.is(await store.nextDue("o", HASHES, 500), undefined);
  });
}

function settlements(on: On): void {
  const running = async (store: Store) => {
    await committed(
      store,
      commitOf([transition("a", 1, { outbox: [{}, {}, {}] })], {
        lease: { owner: "o", until: 100 },
      }),
    );
  };

  on("settle() writes done, retry and dead", async (store) => {
    await running(store);
    const dead = letter("a", "a:1:2");
    const refused = await store.settle([
      { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: { kind: "retry", due: 33 } },
      { actor: "a", id: "a:1:2", epoch: 2, outcome: { kind: "dead", letter: dead } },
    ], 10);
    assert.equal(refused, []);
    const rows = await store.outbox("a", 10);
    assert.equal(rows.map((row) => [row.state, row.attempts, row.due, row.claimed]), [
      ["done", 0, 0, 2],
      ["open", 1, 33, null],
      ["dead", 0, 0, 2],
    ]);
    assert.equal(await store.deadLetters("a", 10), [dead]);
    assert.equal(await store.claim(claimBy("o", 32)), []);
    const [work] = await store.claim(claimBy("o", 33));
    assert.equal(work!.outbox.map((row) => [row.id, row.attempts, row.claimed]), [["a:1:1", 1, 2]]);
  });

  on("settle() refuses what is fenced, not open or unknown, and writes the rest", async (store) => {
    await running(store);
    const done = { kind: "done" } as const;
    const refused = await store.settle([
      { actor: "a", id: "a:1:0", epoch: 1, outcome: done },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: done },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: done },
      { actor: "b", id: "a:1:2", epoch: 2, outcome: done },
      { actor: "a", id: "nope", epoch: 2, outcome: done },
    ], 10);
    assert.equal(refused, ["a:1:0", "a:1:1", "a:1:2", "nope"]);
    assert.equal((await store.outbox("a", 10)).map((row) => row.state), ["open", "done", "open"]);
  });

  on(
    "settle() of the late is refused after an adoption, and the adopter's is written",
    async (store) => {
      await running(store);
      await store.claim(claimBy("p", 100));
      const late = { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } } as const;
      assert.equal(await store.settle([late], 100), ["a:1:0"]);
      assert.equal(await store.settle([{ ...late, epoch: 3 }], 100), []);
    },
  );

  on("settle() leaves nothing to adopt when every effect has ended", async (store) => {
    await running(store);
    for (const id of ["a:1:0", "a:1:1", "a:1:2"]) {
      await store.settle([{ actor: "a", id, epoch: 2, outcome: { kind: "done" } }], 10);
    }
    assert.is(await store.nextDue("p", HASHES, 500), undefined);
    assert.equal(await store.claim(claimBy("p", 500)), []);
  });
}

function records(on: On): void {
  const put = (key: string, value: string | null, expected?: number) => ({
    collection: "c",
    key,
    value,
    ...(expected === undefined ? {} : { expected }),
  });

  on("record() rises in version with every write, and a deleted one begins anew", async (store) => {
    assert.is(await store.record("c", "k"), undefined);
    await committed(store, commitOf([], { records: [put("k", "1", 0)] }));
    await committed(store, commitOf([], { records: [put("k", "2", 1)] }));
    await committed(store, commitOf([], { records: [put("k", "3")] }));
    assert.equal(await store.record("c", "k"), {
      collection: "c",
      key: "k",
      value: "3",
      version: 3,
    });
    await committed(store, commitOf([], { records: [put("k", null, 3)] }));
    assert.is(await store.record("c", "k"), undefined);
    await committed(store, commitOf([], { records: [put("k", null), put("l", null, 0)] }));
    await committed(store, commitOf([], { records: [put("k", "4", 0)] }));
    assert.is((await store.record("c", "k"))!.version, 1);
  });

  on(
    "records() are ordered by key, by code points, from a prefix and after a key",
    async (store) => {
      const keys = ["b", "a", "aé", "ab", "a\uffee", "a😀", "B", "a%"];
      await committed(store, commitOf([], { records: keys.map((key) => put(key, "0")) }));
      await committed(
        store,
        commitOf([], { records: [{ ...put("other", "0"), collection: "d" }] }),
      );
      const list = async (query: { prefix?: string; after?: string; limit?: number }) =>
        (await store.records("c", { limit: 100, ...query })).map((row) => row.key);
      assert.equal(await list({}), ["B", "a", "a%", "ab", "aé", "a\uffee", "a😀", "b"]);
      assert.equal(await list({ prefix: "a", after: "ab" }), ["aé", "a\uffee", "a😀"]);
      assert.equal(await list({ prefix: "a", limit: 2 }), ["a", "a%"]);
      assert.equal(await list({ prefix: "a", after: "b" }), []);
      assert.equal(await list({ prefix: "a", after: "A" }), await list({ prefix: "a" }));
    },
  );
}

function queries(on: On): void {
  on(
    "actors() are ordered by id and filtered by machine, status, prefix and place",
    async (store) => {
      const of = (id: string, actor = {}) => transition(id, 1, { actor });
      await committed(
        store,
        commitOf([
          of("b/1"),
          of("a/2", { machine: "n" }),
          of("a/1"),
          of("a/10", { status: "done" }),
        ]),
      );
      const list = async (
        query: Omit<Parameters<Store["actors"]>[0], "limit"> & { limit?: number },
      ) => (await store.actors({ limit: 10, ...query })).map((row) => row.id);
      assert.equal(await list({}), ["a/1", "a/10", "a/2", "b/1"]);
      assert.equal(await list({ limit: 2 }), ["a/1", "a/10"]);
      assert.equal(await list({ after: "a/10" }), ["a/2", "b/1"]);
      assert.equal(await list({ prefix: "a/", after: "a/1" }), ["a/10", "a/2"]);
      assert.equal(await list({ machine: "n" }), ["a/2"]);
      assert.equal(await list({ status: "done", prefix: "a" }), ["a/10"]);
    },
  );

  on(
    "journal() begins at a revision and feed() after a seq, in the order of commits",
    async (store) => {
      await committed(store, commitOf([transition("b", 1)]));
      await committed(store, commitOf([transition("a", 1), transition("b", 2)]));
      await committed(store, commitOf([transition("b", 3)]));
      assert.equal((await store.journal("b", 2, 10)).map((row) => row.revision), [2, 3]);
      assert.equal((await store.journal("b", 1, 2)).map((row) => row.revision), [1, 2]);
      const feed = await store.feed(0, 10);
      assert.equal(feed.map((row) => `${row.actor}${row.revision}`), ["b1", "a1", "b2", "b3"]);
      assert.ok(feed.every((row, at) => at === 0 || row.seq > feed[at - 1]!.seq));
      assert.equal(await store.feed(feed[1]!.seq, 1), [feed[2]]);
      assert.equal(await store.feed(feed[3]!.seq, 10), []);
    },
  );

  on("outbox(null) holds all open rows by due, timers(null) all timers", async (store) => {
    await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{ due: 9 }, { due: 1 }], timersSet: [timer("a", "x", 7)] }),
        transition("b", 1, { outbox: [{ due: 5 }, { due: 5 }], timersSet: [timer("b", "y", 6)] }),
        transition("b", 2, { settled: ["b:1:1"] }),
      ]),
    );
    assert.equal((await store.outbox(null, 10)).map((row) => row.id), ["a:1:1", "b:1:0", "a:1:0"]);
    assert.equal((await store.timers(null, 10)).map((row) => row.id), ["y", "x"]);
    assert.is((await store.outbox(null, 1)).length, 1);
  });

  on("putMachine() keeps the first definition of a hash", async (store) => {
    const row = { hash: "h", name: "m", definition: "{}", at: 1 };
    await store.putMachine(row);
    await store.putMachine({ ...row, definition: "[]" });
    assert.equal(await store.machine("h"), row);
    assert.is(await store.machine("nope"), undefined);
  });

  on("read() answers rows that nobody else can change", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const row = (await store.read("a"))! as { state: string };
    try {
      row.state = "changed";
    } catch (error) {
      assert.instance(error, TypeError);
    }
    assert.is((await store.read("a"))!.state, '{"revision":1}');
  });
}

function pruning(on: On): void {
  on("prune() removes old journal rows and keeps the rest contiguous from base", async (store) => {
    const steps = [1, 2, 3, 4].map((revision) =>
      transition("a", revision, { journal: { at: revision * 10 } })
    );
    await committed(store, commitOf(steps));
    assert.equal(await store.prune(30), { journal: 2, outbox: 0, deadLetters: 0, actors: 0 });
    assert.is((await store.read("a"))!.base, 3);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [3, 4]);
    assert.equal((await store.feed(0, 10)).map((row) => row.revision), [3, 4]);
    assert.is((await store.prune(30)).journal, 0);
  });

  on("prune() leaves an actor's latest journal row, however old", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
    await store.prune(1e9);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [2]);
    assert.is((await store.read("a"))!.revision, 2);
  });

  on("prune() stops at the first young row, so that none is missing between", async (store) => {
    const ats = [10, 50, 20, 60];
    const steps = ats.map((at, index) => transition("a", index + 1, { journal: { at } }));
    await committed(store, commitOf(steps));
    await store.prune(30);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [2, 3, 4]);
  });

  on(
    "prune() removes ended effects with the journal row of their revision, never open ones",
    async (store) => {
      await committed(
        store,
        commitOf([
          transition("a", 1, { outbox: [{}, {}] }),
          transition("a", 2, { settled: ["a:1:0"], outbox: [{ state: "done" }] }),
        ]),
      );
      assert.equal(await store.prune(100), { journal: 1, outbox: 1, deadLetters: 0, actors: 0 });
      assert.equal((await store.outbox("a", 10)).map((row) => row.id), ["a:1:1", "a:2:0"]);
    },
  );

  on("prune() forgets event ids and dead letters that are old", async (store) => {
    const deadLetters = [letter("a", "x", { at: 5 }), letter("a", "y", { at: 50 })];
    await committed(store, commitOf([transition("a", 1), transition("a", 2)], { deadLetters }));
    assert.equal(await store.prune(50), { journal: 1, outbox: 0, deadLetters: 1, actors: 0 });
    assert.equal((await store.deadLetters(null, 10)).map((row) => row.eventId), ["y"]);
    await committed(
      store,
      commitOf([
        transition("a", 3, { journal: { eventId: "e1" } }),
        transition("a", 4, { journal: { eventId: "x" } }),
      ]),
    );
  });

  on("prune() removes actors that ended and have no open row", async (store) => {
    const ended = (id: string, more = {}) =>
      transition(id, 1, { actor: { status: "done", updatedAt: 5 }, ...more });
    await committed(
      store,
      commitOf([
        ended("gone", { outbox: [{ state: "done" }] }),
        ended("effect", { outbox: [{}] }),
        ended("event", { tells: [tell("event", "t")] }),
        ended("timer", { timersSet: [timer("timer", "x", 900)] }),
        ended("young", { actor: { status: "stopped", updatedAt: 50 } }),
        ended("alive", { actor: { status: "active", updatedAt: 5 } }),
        ended("crashed", { actor: { status: "crashed", updatedAt: 5 } }),
      ]),
    );
    assert.equal(await store.prune(50), { journal: 1, outbox: 1, deadLetters: 0, actors: 1 });
    const left = (await store.actors({ limit: 10 })).map((row) => row.id);
    assert.equal(left, ["alive", "crashed", "effect", "event", "timer", "young"]);
    assert.is((await store.feed(0, 10)).length, 6);
    await committed(store, commitOf([ended("gone")]));
  });

  on("feed() numbers never come back, also after the last row was pruned", async (store) => {
    await committed(store, commitOf([transition("a", 1, { actor: { status: "done" } })]));
    const [last] = await store.feed(0, 10);
    await store.prune(1e9);
    assert.equal(await store.feed(0, 10), []);
    await committed(store, commitOf([transition("b", 1)]));
    assert.ok((await store.feed(0, 10))[0]!.seq > last!.seq);
  });
}

function life(on: On, test: ReturnType<typeof suite>, open: () => Promise<Store>): void {
  on(
    "watch() is told of new work, of retries and of released leases, until it is stopped",
    async (store) => {
      let calls = 0;
      const stop = store.watch(() => calls++);
      const told = async (act: () => Promise<unknown>) => {
        const before = calls;
        await act();
        await Promise.resolve();
        return calls > before;
      };
      assert.is(await told(() => committed(store, commitOf([transition("a", 1)]))), false);
      const more = { outbox: [{}], tells: [tell("b", "t")] };
      assert.ok(await told(() => committed(store, commitOf([transition("a", 2, more)]))));
      await store.claim(claimBy("o"));
      const outcome = { kind: "retry", due: 20 } as const;
      assert.ok(
        await told(() => store.settle([{ actor: "a", id: "a:2:0", epoch: 2, outcome }], 10)),
      );
      assert.ok(await told(() => store.release("o", ["a"])));
      stop();
      const timersSet = [timer("a", "x", 1)];
      assert.is(
        await told(() => committed(store, commitOf([transition("a", 3, { timersSet })]))),
        false,
      );
    },
  );

  on("commit() keeps the order of commits that were made at once", async (store) => {
    const all = Array.from(
      { length: 300 },
      (_, at) => store.commit(commitOf([transition(`a${at}`, 1)])),
    );
    assert.ok((await Promise.all(all)).every((result) => result.outcome === "committed"));
    const feed = await store.feed(0, 1000);
    assert.equal(feed.map((row) => row.actor), Array.from({ length: 300 }, (_, at) => `a${at}`));
  });

  on("commit() of racing steps from one revision applies one of them", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const race = ["x", "y", "z"].map((eventId) =>
      store.commit(commitOf([transition("a", 2, { journal: { eventId } })]))
    );
    const outcomes = (await Promise.all(race)).map((result) => result.outcome).sort();
    assert.equal(outcomes, ["committed", "conflict", "conflict"]);
  });

  test("close() waits for what was accepted, and later calls reject with store-closed", async () => {
    const store = await open();
    const pending = store.commit(commitOf([transition("a", 1)]));
    await store.close();
    assert.is((await pending).outcome, "committed");
    await store.close();
    const calls = [
      () => store.commit(commitOf([])),
      () => store.read("a"),
      () => store.claim(claimBy("o")),
      () => store.release("o", []),
      () => store.prune(1),
    ];
    for (const call of calls) {
      const error = await rejection(call());
      assert.ok(isSidecanaryError(error, "store-closed"), String(error));
    }
  });
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}
