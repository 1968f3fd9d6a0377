import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import {
  createLocalProvider,
  type LocalOptions,
} from "../../../runtime/sidecars/local/local-provider.ts";
import { suite } from "../../harness.ts";
import { liveTree } from "../../kit/live-tree.ts";
import { type ContractTree, sandboxContract } from "../sandbox-contract.ts";

const { signal } = new AbortController();

interface Kind {
  readonly name: string;
  readonly samePath: boolean;
  readonly options: Pick<LocalOptions, "kind" | "namespaces">;
}

const kinds: readonly Kind[] = [
  { name: "overlay", samePath: true, options: { kind: "overlay" } },
  { name: "copy, mounted at the tree's path", samePath: true, options: { kind: "copy" } },
  {
    name: "copy, without namespaces",
    samePath: false,
    options: { kind: "copy", namespaces: false },
  },
  // Needs a file system that shares blocks: TMPDIR on XFS or btrfs, as CI gives it once.
  { name: "reflink", samePath: true, options: { kind: "reflink" } },
];

const refusals: unknown[] = [];
for (const { options } of kinds) refusals.push(await refusalOf(options));

kinds.forEach(({ name, samePath, options }, index) => {
  const refusal = refusals[index];
  if (refusal === undefined) {
    sandboxContract({ name, samePath, create: (tree) => open(tree, options) });
    return;
  }
  const test = suite(`sandbox: ${name}`);
  test(`createLocalProvider() refuses it on this machine: ${firstLine(refusal)}`, () => {
    if (!isSidecanaryError(refusal, "sandbox-unavailable")) throw refusal;
    assert.is(refusal.details.wanted, options.kind);
    assert.ok(refusal.details.reason.length > 0);
  });
});

async function open({ scratch, ...tree }: ContractTree, options: Kind["options"]) {
  return await createLocalProvider({ ...tree, scratch: [scratch], ...options, signal });
}

/** What stands against this kind here, or `undefined`. */
async function refusalOf(options: Kind["options"]): Promise<unknown> {
  try {
    await (await open(await liveTree(), options)).close();
    return undefined;
  } catch (error) {
    return error;
  }
}

function firstLine(error: unknown): string {
  return String(error).split("\n")[0] ?? "";
}
