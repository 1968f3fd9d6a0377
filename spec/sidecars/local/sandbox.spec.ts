import { createLocalProvider } from "../../../runtime/sidecars/local/local-provider.ts";
import { sandboxContract } from "../sandbox-contract.ts";

const signal = new AbortController().signal;

sandboxContract({
  name: "overlay",
  samePath: true,
  create: async ({ scratch, ...tree }) =>
    await createLocalProvider({ ...tree, scratch: [scratch], kind: "overlay", signal }),
});
sandboxContract({
  name: "copy, mounted at the tree's path",
  samePath: true,
  create: async ({ scratch, ...tree }) =>
    await createLocalProvider({ ...tree, scratch: [scratch], kind: "copy", signal }),
});
sandboxContract({
  name: "copy, without namespaces",
  samePath: false,
  create: async ({ scratch, ...tree }) =>
    await createLocalProvider({
      ...tree,
      scratch: [scratch],
      kind: "copy",
      namespaces: false,
      signal,
    }),
});
