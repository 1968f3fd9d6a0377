import { suite } from "../harness.ts";
import { testUnprivileged } from "../kit/unprivileged.ts";

testUnprivileged(suite("unprivileged-serve"), ["isolation", "lifecycle", "ssh"], 100_000);
