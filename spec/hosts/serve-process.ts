import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Place } from "../cli/cli-kit.ts";
import { until } from "../kit/processes.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { type ChildRuntime, startOn } from "./runtimes.ts";

/** `sidecanary sidecar serve` in a process of its own. */
export interface ServeProcess {
  readonly url: string;
  readonly port: number;
  /** Lets a client in: variables for its environment. */
  readonly clientEnv: Readonly<Record<string, string>>;
  /** The names of the instances that were made, and of those that were destroyed, in order. */
  readonly created: readonly string[];
  readonly destroyed: readonly string[];
  /** What the server holds below its state folder for instances. */
  instances(): string[];
  /** Everything it said. */
  said(): string;
  /** Interrupts it and waits for its end. */
  stop(): Promise<{ readonly code: number | null; readonly said: string }>;
}

const SECRET = "a-token-of-the-specs-0123456789";

/** Starts a sidecar host; where no namespaces are, all of its instances are its own user. */
export async function serveProcess(
  runtime: ChildRuntime,
  args: readonly string[] = [],
): Promise<ServeProcess> {
  const state = await tempDir();
  const at: Place = {
    dir: await tempDir(),
    env: { XDG_STATE_HOME: await tempDir(), SIDECANARY_SERVE_TOKEN: SECRET, NO_COLOR: "1" },
  };
  const child = startOn(runtime, at, [
    ...["sidecar", "serve", "--listen", "127.0.0.1:0", "--json", "--state-dir", state],
    ...["--shared-user-unsafe", ...args],
  ]);
  const created: string[] = [], destroyed: string[] = [];
  let said = "", rest = "", url = "", hasEnded = false;
  child.stdout?.resume();
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter((each) => each.startsWith("{"))) {
      const event = JSON.parse(line) as Record<string, string>;
      if (event["kind"] === "listening") url = event["url"] ?? "";
      if (event["kind"] === "created") created.push(event["name"] ?? "");
      if (event["kind"] === "destroyed") destroyed.push(event["name"] ?? "");
    }
  });
  const end = new Promise<number | null>((resolve) => child.once("close", resolve));
  void end.then(() => hasEnded = true);
  await until("the sidecar host listens", () => {
    if (hasEnded) throw new Error(`the sidecar host ended:\n${said}`);
    return url !== "";
  });
  return {
    url,
    port: Number(new URL(url).port),
    clientEnv: { SIDECANARY_TOKEN: SECRET },
    created,
    destroyed,
    instances: () => namesBelow(join(state, "instances")),
    said: () => said,
    stop: async () => {
      if (!hasEnded) process.kill(child.pid ?? 0, "SIGINT");
      return { code: await end, said };
    },
  };
}

function namesBelow(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
