import { relative } from "node:path";
import type { RemoteOptions } from "../../../runtime/sidecars/remote/remote-provider.ts";
import { type ContractTree, sandboxContract } from "../sandbox-contract.ts";
import { bringRest, remoteTree } from "./remote-tree.ts";

for (const lanes of ["any", "warm"] as const) {
  sandboxContract({
    name: `remote, ${lanes} lanes`,
    samePath: false,
    create: (tree) => open(tree, { lanes }),
  });
}

async function open({ cwd, protect: _, ...tree }: ContractTree, options: Partial<RemoteOptions>) {
  const remote = await remoteTree(tree);
  return remote.provider({
    ...options,
    payload: { ...remote.payload, cwd: cwd === undefined ? "" : relative(tree.root, cwd) },
    setup: { command: bringRest(tree.root), lockFiles: [] },
  });
}
