import * as assert from "uvu/assert";
import { systemClock } from "../../../runtime/clock.ts";
import { startSidecarHost } from "../../../runtime/serve/start-sidecar-host.ts";
import { createCircleciHosts } from "../../../runtime/sidecars/circleci/circleci-hosts.ts";
import { SidecarApi } from "../../../runtime/sidecars/circleci/sidecar-api.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import { fileHostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import { suite } from "../../harness.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { failure } from "./api-kit.ts";

const test = suite("own-host");

const SECRET = "own-host-secret-0123456789";

test(
  "createCircleciHosts() makes, finds, reaches and destroys hosts of our own server",
  async () => {
    const server = await startSidecarHost({
      listen: { host: "127.0.0.1", port: 0 },
      tokens: [{ owner: "jo", secret: SECRET }],
      isolation: { sharedUserUnsafe: true },
      stateDir: await tempDir(),
    });
    const { signal } = new AbortController();
    const access = (token: string) => ({
      baseUrl: server.url,
      token,
      tokenSource: "SIDECANARY_TOKEN",
      service: "the sidecar host",
      version: "1.2.3",
      clock: systemClock,
      random: () => 0,
      onWarning: () => {},
    });
    const hosts = createCircleciHosts({
      api: new SidecarApi(access(SECRET)),
      kind: "host",
      org: "sidecanary",
      identity: { kind: "key", key: newKey() },
      pins: fileHostKeyPins(await tempDir()),
      clock: systemClock,
      random: () => 0,
      onWarning: () => {},
    });
    try {
      const expiresAt = systemClock.now() + 60_000;
      const name = formatHostName({ owner: "owner001", run: "run", index: 0, expiresAt });
      assert.is(await hosts.find(name, signal), undefined);
      const ref = await hosts.create({ name, index: 0, expiresAt }, signal);
      assert.equal(await hosts.find(name, signal), ref);
      assert.match(ref.address ?? "", server.hostKey);
      // A listed host of anybody's is reached as well: its key is told by the server.
      const [listed] = await hosts.list(signal);
      assert.is(listed?.id, ref.id);
      const host = await hosts.connect(listed ?? ref, signal);
      const chunks: Uint8Array[] = [];
      const onStdout = (chunk: Uint8Array) => void chunks.push(chunk);
      const exit = await host.exec({ command: "echo here; exit 3", onStdout, signal });
      assert.equal(exit, { kind: "exit", code: 3 });
      assert.is(Buffer.concat(chunks).toString(), "here\n");
      await host.close();
      await hosts.destroy(ref, signal);
      await hosts.destroy(ref, signal);
      assert.equal(server.instances(), []);
      const gone = await failure(hosts.connect(ref, signal));
      assert.is(gone.fault, "not-found reconnect 404");
      const stranger = new SidecarApi(access("another-secret-0123456789"));
      const refused = await failure(stranger.list("sidecanary", false, signal));
      assert.is(refused.fault, "unauthorised never 401");
      assert.match(refused.message, "SIDECANARY_TOKEN");
      // Paths that it does not have, and snapshots, which it has not either.
      const api = new SidecarApi(access(SECRET));
      assert.is((await failure(api.me(signal))).fault, "client-outdated never route-not-found");
      assert.is((await failure(api.listSnapshots("o", signal))).fault, "server-error never 501");
    } finally {
      await hosts.close();
      await server.close();
    }
  },
  { timeoutMs: 30_000 },
);
