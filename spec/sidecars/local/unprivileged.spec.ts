import { suite } from "../../harness.ts";
import { testUnprivileged } from "../../kit/unprivileged.ts";

testUnprivileged(suite("unprivileged"), [
  "sandbox",
  "crash",
  "probe",
  "namespace-cell",
  "remove-tree",
]);
