import { hostContract } from "../sidecars/host-contract.ts";
import { shellHost } from "./shell-host.ts";

hostContract("local sh", () => {
  const host = shellHost();
  return Promise.resolve({ host, lose: () => host.cut(), end: () => Promise.resolve() });
});
