import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { until } from "./processes.ts";
import { tempDir } from "./temp-dir.ts";

/** A real ssh-agent. It ends with this process. */
export interface Agent {
  readonly socket: string;
  /** Loads a private key that has no passphrase. */
  add(path: string): Promise<void>;
  stop(): void;
}

/** Starts an agent that holds no keys. */
export async function startAgent(): Promise<Agent> {
  const socket = join(await tempDir(), "agent");
  // An agent ends with its command, and this one with its standard input, which is ours.
  const stdio = ["pipe", "ignore", "inherit"] as const;
  const child = spawn("ssh-agent", ["-a", socket, "cat"], { stdio: [...stdio] });
  let failure: Error | undefined;
  child.once("error", (error) => failure = error);
  child.stdin?.on("error", () => {});
  await until("the agent listens", () => {
    if (failure !== undefined) throw failure;
    return existsSync(socket);
  });
  return {
    socket,
    add: async (path) => {
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      await promisify(execFile)("ssh-add", ["-q", path], { env });
    },
    stop: () => child.stdin?.end(),
  };
}
