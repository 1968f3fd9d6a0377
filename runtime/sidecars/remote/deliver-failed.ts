import type { SidecanaryError } from "../../errors.ts";
import type { HostFaultDetails } from "../../host-fault.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import type { HostAnswer } from "./workspace-ask.ts";

/** A disk with less than this is full: git and a file system need some to write anything. */
const FULL = 1024 * 1024;

type Told = Pick<HostFaultDetails, "fault" | "kind">;

/** Whether a script gave up on a full disk. */
export function isFull({ freeBytes }: HostAnswer): boolean {
  return freeBytes !== undefined && freeBytes < FULL;
}

/** The error for a script that gave up in a workspace. */
export function deliveryFailed(
  host: Host,
  answer: HostAnswer,
  doing: string = "deliver the payload to",
): SidecanaryError {
  const { failed = "", freeBytes, stderr } = answer;
  const [why, { fault, kind }] = isFull(answer) ? diskFull(freeBytes ?? 0) : reason(failed);
  return hostFailed(
    `Cannot ${doing} ${host.name}: ${why}${stderr === "" ? "" : `\n${stderr}`}`,
    { host: host.name, fault, kind, detail: failed },
  );
}

function diskFull(freeBytes: number): [string, Told] {
  return [
    `its disk is full, ${freeBytes} bytes are left. Make room there, or choose a larger one`,
    { fault: "limit-reached", kind: "never" },
  ];
}

function reason(failed: string): [string, Told] {
  switch (failed) {
    case "busy":
      return [
        "another delivery or setup is at work there and does not end",
        { fault: "limit-reached", kind: "same-connection" },
      ];
    case "workspace":
      return ["its workspace is gone", { fault: "gone", kind: "reconnect" }];
    case "write":
      return ["its disk cannot be written", { fault: "sandbox-refused", kind: "never" }];
    case "proof":
      return [
        "its file system does not keep the files as they are (two names that differ in case, " +
        "executable bits, symbolic links). Set XDG_CACHE_HOME there to a folder on another one",
        { fault: "sandbox-refused", kind: "never" },
      ];
    case "checkout":
      return ["git cannot write the files there", { fault: "sandbox-refused", kind: "never" }];
    case "stale":
      return ["its base is not this payload. Deliver it first", { fault: "config", kind: "never" }];
    case "corrupt":
    case "moved":
    case "short":
      return ["what arrived is not what was sent, again", { fault: "protocol", kind: "reconnect" }];
    default:
      return [`git could not take the pack (${failed})`, { fault: "protocol", kind: "reconnect" }];
  }
}
