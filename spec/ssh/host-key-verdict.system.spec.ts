import { readFile } from "node:fs/promises";
import ssh2 from "ssh2";
import { systemClock } from "../../runtime/clock.ts";
import { connectSsh } from "../../runtime/ssh/connect-ssh.ts";
import { dialTcp } from "../../runtime/ssh/dial-tcp.ts";
import { suite } from "../harness.ts";
import { makeKey, startSshd } from "../kit/sshd.ts";

const test = suite("the host key's verdict and OpenSSH");
const { signal } = new AbortController();
const clock = systemClock;

test("a verdict at once, of a promise, and after a turn each lead to a login", async () => {
  const made = await makeKey("ed25519");
  const sshd = await startSshd({ authorizedKeys: [made.publicLine] });
  const key = ssh2.utils.parseKey(await readFile(made.path));
  if (key instanceof Error) throw key;
  const yes = { ok: true } as const;
  const verdicts = [
    () => yes,
    () => Promise.resolve(yes),
    async () => {
      await readFile(made.path);
      return yes;
    },
  ];
  for (const verify of [...verdicts, ...verdicts]) {
    const stream = await dialTcp({ host: sshd.host, port: sshd.port, signal, clock });
    const host = await connectSsh({
      stream,
      name: "box",
      username: sshd.user,
      identity: { kind: "key", key },
      hostKey: { algorithms: [], verify },
      deadlineMs: 5_000,
      signal,
      clock,
    });
    await host.close();
  }
  await sshd.stop();
});
