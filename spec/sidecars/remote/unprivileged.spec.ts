import { suite } from "../../harness.ts";
import { testUnprivileged } from "../../kit/unprivileged.ts";

testUnprivileged(suite("unprivileged-remote"), ["sandbox", "lost-connection", "revert"]);
