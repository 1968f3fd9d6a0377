import process from "node:process";
import { openSqliteStore } from "../../../runtime/store/sqlite/sqlite-store.ts";
import { commitOf, transition } from "../../store/builders.ts";

/*
 * store-writer.ts <path> <actor> <count> [shared]: writes revisions 1 to count of the actor, several
 * at once, and prints the number of each when it was answered. With an actor that is shared, steps
 * that one too in commits of its own, again where another process was faster.
 */
const [path = "", actor = "", count = "0", shared] = process.argv.slice(2);
const store = await openSqliteStore({ path });
await Promise.all([own(), shared === undefined ? undefined : steps(shared)]);
await store.close();

async function own(): Promise<void> {
  for (let next = 1; next <= Number(count);) {
    const answers = [];
    for (let width = 1 + next % 3; width > 0 && next <= Number(count); width--, next++) {
      const revision = next;
      const commit = commitOf([transition(actor, revision)]);
      answers.push(
        store.commit(commit).then((result) => {
          if (result.outcome !== "committed") throw new Error(JSON.stringify(result));
          process.stdout.write(`${revision}\n`);
        }),
      );
    }
    await Promise.all(answers);
  }
}

async function steps(id: string): Promise<void> {
  for (let left = 20, tries = 0; left > 0; tries++) {
    const revision = ((await store.read(id))?.revision ?? 0) + 1;
    const step = transition(id, revision, { journal: { eventId: `${actor}-${left}` } });
    const result = await store.commit(commitOf([step]));
    if (result.outcome === "committed") left--;
    else if (result.outcome !== "conflict" || tries > 5000) throw new Error(JSON.stringify(result));
  }
}
