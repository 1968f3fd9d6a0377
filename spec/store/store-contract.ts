import { suite } from "../harness.ts";
import type { Store } from "../../runtime/store/store.ts";
import { claims } from "./contract/claims.ts";
import { commits } from "./contract/commits.ts";
import { deadLetters } from "./contract/dead-letters.ts";
import { dueTimes } from "./contract/due-times.ts";
import { leases } from "./contract/leases.ts";
import { life } from "./contract/life.ts";
import { pruning } from "./contract/pruning.ts";
import { queries } from "./contract/queries.ts";
import { records } from "./contract/records.ts";
import { refusals } from "./contract/refusals.ts";
import { settlements } from "./contract/settlements.ts";
import type { On } from "./contract/on.ts";

/** What every store must do, a test for each sentence of store.ts. `open` answers an empty store. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  const test = suite(`${name}: store contract`);
  const on: On = (title, body) =>
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
