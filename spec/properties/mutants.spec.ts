import fc from "fast-check";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { type Mutant, mutants } from "../kit/mutants.ts";
import { protocolProperties, type ProtocolProperty } from "./protocol-properties.ts";

const test = suite("mutants");

/** How often each property is run before a mutant counts as missed by it. */
const runs = 150;
const seed = 20_26;

interface Kill {
  readonly mutant: string;
  readonly property: string;
  /** How many runs it took. */
  readonly runs: number;
  readonly violation: string;
}

const kills: Kill[] = [];

for (const mutant of mutants) {
  test(`"${mutant.name}" is killed`, async () => {
    const first = protocolProperties.filter(({ name }) => name === mutant.breaks);
    const others = protocolProperties.filter(({ name }) => name !== mutant.breaks);
    for (const property of [...first, ...others]) {
      const kill = await tryToKill(mutant, property);
      if (kill === undefined) continue;
      kills.push(kill);
      return;
    }
    assert.unreachable(`"${mutant.name}" survived every property`);
  }, { timeoutMs: 60_000 });
}

test("the protocol as it is passes the same runs", async () => {
  for (const property of protocolProperties) {
    const { failed, errorInstance } = await fc.check(property.of(), { numRuns: runs, seed });
    assert.not.ok(failed, `${property.name}: ${(errorInstance as Error | undefined)?.message}`);
  }
}, { timeoutMs: 60_000 });

test.after(() => {
  const width = Math.max(...kills.map((kill) => kill.mutant.length));
  const rows = kills.map(({ mutant, property, runs: count, violation }) =>
    `${mutant.padEnd(width)}  ${property.padEnd(7)}  ${String(count).padStart(4)}  ${violation}`
  );
  console.log(`\n${"mutant".padEnd(width)}  killed by  runs  with\n${rows.join("\n")}\n`);
});

async function tryToKill(mutant: Mutant, property: ProtocolProperty): Promise<Kill | undefined> {
  const result = await fc.check(property.of(mutant), { numRuns: runs, seed, endOnFailure: true });
  if (!result.failed) return undefined;
  const [violation = ""] = String((result.errorInstance as Error).message).split("\n");
  return { mutant: mutant.name, property: property.name, runs: result.numRuns, violation };
}
