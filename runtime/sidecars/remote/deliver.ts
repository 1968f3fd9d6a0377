import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import type { PayloadPack } from "../../sync/pack-payload.ts";
import { SidecanaryError } from "../../errors.ts";
import type { Host } from "../host.ts";
import { deliveryFailed, isFull } from "./deliver-failed.ts";
import { LOOK, PATIENCE, RECEIVE, RENEW, SWITCH } from "./receive-script.ts";
import type { Workspace } from "./workspace.ts";
import { askHost, type HostAnswer } from "./workspace-ask.ts";
import { assign } from "./workspace-script.ts";

/** What a delivery needs. */
export interface DeliverOptions {
  /** Answers a pack of `tree` for a host that has the trees `have`. Not called where it has `tree`. */
  readonly pack: (have: readonly string[]) => Promise<PayloadPack>;
  /** The tree that the base is to be. */
  readonly tree: string;
  readonly signal: AbortSignal;
  /**
   * Called as bytes go out; what an earlier connection had sent counts.
   * @default nothing
   */
  readonly onProgress?: (progress: DeliveryProgress) => void;
}

/** How far a delivery has come. */
export interface DeliveryProgress {
  readonly sentBytes: number;
  readonly totalBytes: number;
}

/** What a delivery came to. */
export interface Delivery {
  readonly tree: string;
  /** `present` where the base was that tree already; `delta` where the host had others. */
  readonly kind: "present" | "delta" | "full";
  /** Bytes that went out in this call. */
  readonly sentBytes: number;
  /** What people should know. */
  readonly warnings: readonly string[];
}

/** How often a pack that arrived damaged, or beside another delivery's, is sent again. */
const ATTEMPTS = 3;

/** The pack did not arrive as it was sent. */
const TORN: readonly string[] = ["corrupt", "moved", "short"];

/** It did, and the host's repository cannot work with it: objects of earlier deliveries are lost. */
const UNUSABLE: readonly string[] = ["index", "incomplete", "checkout"];

/** So much of a pack is in memory at once, for each host. */
const CHUNK = 256 * 1024;

/**
 * Brings a host's base to `tree` and has the host prove it: when this answers, every file of the base
 * is what the tree says. A base that is already is found out by one command. What breaks in between
 * leaves no base that is taken for verified, and the next call goes on where this one ended, from
 * another connection or process too.
 *
 * Files that are in no delivered tree (installed packages, build output) stay; files that a delivery
 * changes get times of modification later than all that was there.
 *
 * @throws SidecanaryError `host-failed`; of kind `reconnect` where the connection was lost
 * @throws the signal's reason when aborted
 */
export async function deliverPayload(
  host: Host,
  workspace: Workspace,
  options: DeliverOptions,
): Promise<Delivery> {
  const { tree, signal } = options;
  const variables = assign({ dir: workspace.dir, want: tree, patience: PATIENCE });
  let sentBytes = 0;
  let renewed = false;
  for (let attempt = 1;; attempt++) {
    const found = await askHost(host, { command: variables + LOOK, signal });
    if (found.failed !== undefined) throw deliveryFailed(host, found);
    if (found.lines.some(([word]) => word === "same")) {
      return { tree, kind: "present", sentBytes, warnings: [] };
    }
    const have = all(found, "tree");
    let answer: HostAnswer;
    let kind: Delivery["kind"] = "delta";
    if (have.includes(tree)) {
      answer = await askHost(host, { command: variables + SWITCH, signal });
    } else {
      const pack = await options.pack(have);
      assertFits(pack, tree, have);
      kind = pack.against.length === 0 ? "full" : "delta";
      answer = await send(
        host,
        variables,
        pack,
        arrived(found, pack),
        options,
        (bytes) => sentBytes += bytes,
      );
    }
    if (answer.failed === undefined) {
      return { tree, kind, sentBytes, warnings: warningsOf(host, answer) };
    }
    if (UNUSABLE.includes(answer.failed) && !isFull(answer) && !renewed) {
      const renewal = await askHost(host, { command: variables + RENEW, signal });
      if (renewal.failed !== undefined) throw deliveryFailed(host, renewal);
      renewed = true;
    } else if (!TORN.includes(answer.failed) || attempt >= ATTEMPTS) {
      throw deliveryFailed(host, answer);
    }
  }
}

async function send(
  host: Host,
  variables: string,
  pack: PayloadPack,
  { claim, offset }: Claim,
  { signal, onProgress }: DeliverOptions,
  count: (bytes: number) => void,
): Promise<HostAnswer> {
  const { id, commit, bytes: totalBytes } = pack;
  const command = variables + assign({ id, commit, claim, offset, total: totalBytes }) + RECEIVE;
  const reading = new AbortController();
  const file = await open(pack.file, "r");
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      onProgress?.({ sentBytes: offset, totalBytes });
      for (let at = offset; at < totalBytes;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, at);
        if (bytesRead === 0) throw changedPack(pack);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
        count(bytesRead);
        onProgress?.({ sentBytes: at, totalBytes });
      }
    } catch (error) {
      // An adapter that feeds a channel has nobody to tell.
      reading.abort(error);
    }
  };
  try {
    if ((await file.stat()).size !== totalBytes) throw changedPack(pack);
    const both = AbortSignal.any([signal, reading.signal]);
    return await askHost(host, { command, stdin: chunks(), signal: both });
  } finally {
    await file.close();
  }
}

/** How many bytes of the pack are there, and under which name. */
interface Claim {
  readonly claim: string;
  readonly offset: number;
}

/** More than all bytes of a pack are no beginning of it. */
function arrived(found: HostAnswer, pack: PayloadPack): Claim {
  const [id, claim = "", size = ""] = all(found, "part")[0]?.split(" ") ?? [];
  const offset = Number(size);
  return id === pack.id && offset <= pack.bytes ? { claim, offset } : { claim: "", offset: 0 };
}

function all(answer: HostAnswer, wanted: string): string[] {
  return answer.lines.filter(([word]) => word === wanted).map(([, rest]) => rest);
}

function assertFits(pack: PayloadPack, tree: string, have: readonly string[]): void {
  if (pack.tree !== tree) throw new RangeError(`the pack ${pack.file} is not of the tree ${tree}`);
  const missing = pack.against.find((each) => !have.includes(each));
  if (missing === undefined) return;
  throw new RangeError(`the pack ${pack.file} needs the tree ${missing}, which the host has not`);
}

function changedPack(pack: PayloadPack): SidecanaryError {
  return new SidecanaryError(
    "payload-failed",
    `Cannot send "${pack.file}": it is not the ${pack.bytes} bytes that were packed. Run again`,
    { path: pack.file },
  );
}

function warningsOf(host: Host, answer: HostAnswer): string[] {
  const warnings: string[] = [];
  for (const [word] of answer.lines) {
    if (word === "clock") {
      warnings.push(
        `the clock of ${host.name} went backwards: build tools there may take changed files for old`,
      );
    }
    if (word === "rebuilt") {
      warnings.push(
        `the checkout on ${host.name} could not be brought up to date and was made anew`,
      );
    }
  }
  return warnings;
}
