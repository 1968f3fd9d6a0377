import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import type { ParsedKey } from "ssh2";
import { tempDir } from "./temp-dir.ts";

/** An agent in this process, by ssh2's own side of the protocol, that counts what it is asked. */
export class AgentServer {
  /** How often it has signed, by the base64 of the public key. */
  readonly signed: string[] = [];
  readonly socket: string;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(socket: string, keys: readonly ParsedKey[]) {
    this.socket = socket;
    this.#server = createServer((stream) => {
      this.#open.add(stream);
      stream.on("error", () => {});
      const protocol = new ssh2.AgentProtocol(false);
      protocol.on("error", () => stream.destroy());
      protocol.on("identities", (request) => protocol.getIdentitiesReply(request, [...keys]));
      protocol.on("sign", (request, wanted, data) => {
        const blob = wanted.getPublicSSH();
        const key = keys.find((each) => Buffer.compare(each.getPublicSSH(), blob) === 0);
        this.signed.push(blob.toString("base64"));
        if (key === undefined) protocol.failureReply(request);
        else protocol.signReply(request, key.sign(data));
      });
      stream.pipe(protocol).pipe(stream);
    });
  }

  static async listen(keys: readonly ParsedKey[]): Promise<AgentServer> {
    const agent = new AgentServer(join(await tempDir(), "agent"), keys);
    await new Promise<void>((resolve) => agent.#server.listen(agent.socket, resolve));
    return agent;
  }

  async close(): Promise<void> {
    for (const stream of this.#open) stream.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
