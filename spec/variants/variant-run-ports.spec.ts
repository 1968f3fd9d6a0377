import { variantRunPorts } from "../../runtime/variants/variant-run-ports.ts";
import { suite } from "../harness.ts";

const test = suite("variant-run-ports");

test("release of a campaign that this process does not run is nothing to do", async () => {
  const ports = variantRunPorts(() => {
    throw new Error("asked for a session");
  }, { onAsked: () => {}, onDoubt: () => {}, isCurrent: () => false });
  await ports.release({
    campaign: "c-1-old",
    variant: "a",
    generation: 0,
    attempt: 1,
    sidecar: "s",
  });
});
