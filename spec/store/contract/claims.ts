import * as assert from "uvu/assert";
import { commitOf, committed, tell, timer, transition } from "../builders.ts";
import { claimBy, type On } from "./on.ts";

export function claims(on: On): void {
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

  on("claim() adopts what its own owner lost sight of, once that lease expired", async (store) => {
    const lease = { owner: "o", until: 50 };
    const steps = ["a", "b", "c"].map((id) => transition(id, 1, { outbox: [{}] }));
    await committed(store, commitOf(steps, { lease }));
    await store.renew("o", ["c"], 500);
    assert.equal(await store.claim(claimBy("o", 60)), []);
    assert.equal(await store.claim(claimBy("o", 49, { running: [] })), []);
    const [work, ...rest] = await store.claim(claimBy("o", 60, { running: ["b"] }));
    assert.equal(rest, []);
    assert.equal([work!.actor.id, work!.actor.epoch, work!.actor.leaseUntil], ["a", 3, 160]);
    assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
    assert.equal(await store.claim(claimBy("o", 60, { running: ["b"] })), []);
  });

  on("claim() for a timer begins an epoch where its own lease has lapsed", async (store) => {
    const more = { outbox: [{ due: 500 }], timersSet: [timer("a", "x", 60)] };
    await committed(
      store,
      commitOf([transition("a", 1, more)], { lease: { owner: "o", until: 50 } }),
    );
    assert.is((await store.claim(claimBy("o", 60, { running: ["a"] })))[0]!.actor.epoch, 2);
    const [work] = await store.claim(claimBy("o", 1_000, { running: [] }));
    assert.equal([work!.actor.epoch, work!.outbox.map((row) => row.claimed)], [3, [3]]);
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
