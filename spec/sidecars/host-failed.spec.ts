import * as assert from "uvu/assert";
import { SidecanaryError } from "../../runtime/errors.ts";
import type { HostFault, HostFaultKind } from "../../runtime/host-fault.ts";
import { bootFailure, hostFailed, workFailure } from "../../runtime/sidecars/host-failed.ts";
import { suite } from "../harness.ts";

const test = suite("host-failed");

const error = (fault: HostFault, kind: HostFaultKind) =>
  hostFailed("x", { host: "h", fault, kind });

for (
  const [fault, kind, boot, work] of [
    ["refused", "while-booting", "transient", "transient"],
    ["reset", "reconnect", "transient", "transient"],
    ["channel-limit", "same-connection", "transient", "transient"],
    ["authentication", "never", "permanent", "sidecar-lost"],
    ["config", "never", "permanent", "sidecar-lost"],
    ["not-found", "never", "permanent", "sidecar-lost"],
    ["not-found", "reconnect", "sidecar-lost", "sidecar-lost"],
    ["paused", "reconnect", "sidecar-lost", "sidecar-lost"],
    ["outdated", "reconnect", "sidecar-lost", "sidecar-lost"],
    ["gone", "reconnect", "sidecar-lost", "sidecar-lost"],
    ["gone", "never", "sidecar-lost", "sidecar-lost"],
  ] as const
) {
  test(`${fault} of kind ${kind} is ${boot} while booting, ${work} at work`, () => {
    assert.is(bootFailure(error(fault, kind)).class, boot);
    assert.is(workFailure(error(fault, kind)).class, work);
  });
}

test("bootFailure() keeps fault, message and the wait that was asked for", () => {
  const limited = hostFailed("too many", {
    host: "h",
    fault: "rate-limited",
    kind: "reconnect",
    retryAfterMs: 7_000,
  });
  assert.equal(bootFailure(limited), {
    code: "rate-limited",
    message: "too many",
    class: "transient",
    retryAfterMs: 7_000,
  });
});

test("workFailure() of what is no fault of a host is permanent, with its code", () => {
  const usage = new SidecanaryError("usage", "no", {});
  assert.equal(workFailure(usage), { code: "usage", message: "no", class: "permanent" });
  assert.is(workFailure(new Error("a defect")).code, "unexpected");
});
