import * as assert from "uvu/assert";
import { createServer } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import { publicLine } from "../../../runtime/sidecars/circleci/public-line.ts";
import { publicKeyLine } from "../../../runtime/ssh/wire.ts";
import { suite } from "../../harness.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { failure } from "./api-kit.ts";

const test = suite("public-line");

const KEYS = [newKey(), newKey()];
const LINES = KEYS.map((key) => publicKeyLine(key.getPublicSSH()));

/** Runs `body` with the socket of an agent that has these keys. */
async function withAgent(
  keys: typeof KEYS,
  body: (socket: string) => Promise<void>,
): Promise<void> {
  const socket = join(await tempDir(), "agent");
  const server = createServer((connection) => {
    const protocol = new ssh2.AgentProtocol(false);
    protocol.on("identities", (request) => protocol.getIdentitiesReply(request, keys));
    connection.on("error", () => {}).pipe(protocol).pipe(connection);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    await body(socket);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test("AddSSHKey string: publicLine() of a private key is its public half", async () => {
  const [key] = KEYS;
  assert.ok(key);
  assert.is(await publicLine({ kind: "key", key }), LINES[0]);
  assert.match(LINES[0] ?? "", /^ssh-ed25519 AAAA[\w+/=]+$/);
});

test("publicLine() of an agent is the named key, else the agent's first", () =>
  withAgent(KEYS, async (socket) => {
    const publicKey = KEYS[1]?.getPublicSSH() ?? new Uint8Array();
    assert.is(await publicLine({ kind: "agent", socket, publicKey }), LINES[1]);
    assert.is(await publicLine({ kind: "agent", socket }), LINES[0]);
  }));

test("publicLine() of an agent without keys, or that is not there, is no-agent", async () => {
  await withAgent([], async (socket) => {
    const { fault, message } = await failure(publicLine({ kind: "agent", socket }));
    assert.match(fault, "no-agent never");
    assert.match(message, "ssh-add");
  });
  const socket = join(await tempDir(), "none");
  assert.match((await failure(publicLine({ kind: "agent", socket }))).fault, "no-agent never");
});
