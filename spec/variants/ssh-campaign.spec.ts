import * as assert from "uvu/assert";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "../../runtime/clock.ts";
import { formatHostName } from "../../runtime/sidecars/host-name.ts";
import { createSshHosts } from "../../runtime/sidecars/ssh/ssh-hosts.ts";
import { ensureKeyPair } from "../../runtime/ssh/ensure-key-pair.ts";
import { publicKeyLine } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { SshServer } from "../kit/ssh-server.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { campaign, project, variant, verdicts } from "./campaign-kit.ts";

const test = suite("ssh-campaign");
const closing: { close(): Promise<void> }[] = [];

test.after.each(async () => {
  for (const each of closing.splice(0)) await each.close();
});

const VARIANTS = ["a", "b", "c", "d", "e", "f"].map((id, n) =>
  n % 2 === 0 ? variant(id, "value", `${n + 2}`) : variant(id, "other", `${n + 2}`)
);

/** A machine that the user names, and how to reach it. */
async function machine() {
  const home = await tempDir();
  const { key, path } = await ensureKeyPair(join(home, "keys"));
  const server = await SshServer.listen({
    authorised: [key.getPublicSSH()],
    env: { HOME: home, XDG_CACHE_HOME: "" },
  });
  closing.push(server);
  const configFile = join(home, "config");
  const known = join(home, "known_hosts");
  await writeFile(known, `[127.0.0.1]:${server.port} ${publicKeyLine(server.hostKey)}\n`);
  await writeFile(configFile, `Host *\n  UserKnownHostsFile ${known}\n  IdentityFile ${path}\n`);
  const open = (lanes: number) =>
    Promise.resolve(createSshHosts({
      targets: [`ssh://${server.username}@127.0.0.1:${server.port}?lanes=${lanes}`],
      env: { HOME: home, PATH: process.env["PATH"] },
      home,
      configFile,
      clock: systemClock,
    }));
  return { home, open, connections: () => server.accepted };
}

test("runCampaign() makes one connection for all lanes of a machine, from boot to end", async () => {
  const repo = await project();
  const { home, open, connections } = await machine();
  const { report } = await campaign(repo, VARIANTS, {
    workers: 3,
    hosts: { label: "ssh", lanes: 3, setup: null, open: () => open(3) },
  });
  assert.equal(verdicts(report), [
    "a killed",
    "b survived",
    "c killed",
    "d survived",
    "e killed",
    "f survived",
  ]);
  assert.is(connections(), 1);
  assert.equal(report.sidecars, { created: 1, destroyed: 1, left: [] });
  assert.equal(await readdir(join(home, ".cache", "sidecanary")).catch(() => []), []);
});

test("runCampaign() removes what dead campaigns of its project left on a machine", async () => {
  const repo = await project();
  const { home, open } = await machine();
  const hosts = { label: "ssh", lanes: 1, setup: null, open: () => open(1) };
  await campaign(repo, VARIANTS.slice(0, 1), { workers: 1, hosts });
  const [state = ""] = await readdir(join(repo.base, "state"));
  const owner = await readFile(join(repo.base, "state", state, "owner"), "utf8");
  const expiresAt = Date.now() + 3_600_000;
  const name = (parts: { owner: string; run: string }) =>
    join(home, ".cache", "sidecanary", formatHostName({ ...parts, index: 0, expiresAt }));
  const dead = name({ owner, run: "c9dead" });
  const session = name({ owner, run: "wsession" });
  const strangers = name({ owner: "somebody", run: "c9dead" });
  for (const folder of [dead, session, strangers]) await mkdir(folder, { recursive: true });
  const { report } = await campaign(repo, VARIANTS.slice(0, 2), { workers: 1, hosts });
  assert.equal(verdicts(report), ["a killed", "b survived"]);
  assert.equal([dead, session, strangers].map((folder) => existsSync(folder)), [false, true, true]);
});
