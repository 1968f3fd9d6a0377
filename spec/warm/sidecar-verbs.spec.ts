import * as assert from "uvu/assert";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { formatHostName } from "../../runtime/sidecars/host-name.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { type CliPlace, cliPlace, SHELL } from "./cli-place.ts";

const test = suite("sidecar verbs");

async function created(): Promise<CliPlace> {
  const at = await cliPlace();
  const { code, stderr } = await at.sidecar({ verb: "create" }, { sidecar: SHELL });
  assert.is(code, 0, stderr);
  return at;
}

const exec = (at: CliPlace, words: readonly string[], ...rest: [] | [object] | [object, object]) =>
  at.sidecar({ verb: "exec", words }, ...rest);

test("sidecar create tells name, host and how long it stays", async () => {
  const at = await cliPlace();
  const flags = { sidecar: SHELL, name: "big", ttl: 7_200_000 };
  const { code, stdout } = await at.sidecar({ verb: "create" }, flags);
  assert.is(code, 0);
  assert.match(stdout, /^big is up: sidecanary-[\w-]+, shells of this machine, for (2h|1h 59m)\n$/);
  const again = await at.sidecar({ verb: "create" }, { ...flags, json: true });
  const answer = JSON.parse(again.stdout);
  assert.equal([answer.name, answer.made], ["big", "found"]);
  assert.is(at.hosts.asked.length, 1);
});

test("sidecar create without a place, and on this machine, is refused with what to give", async () => {
  const at = await cliPlace();
  for (const sidecar of [undefined, ["local"], ["docker:a", "ssh://b"]]) {
    const { code, stderr } = await at.sidecar({ verb: "create" }, { sidecar });
    assert.is(code, 1);
    assert.match(stderr, /sidecar/);
  }
  assert.is(at.hosts.asked.length, 0);
});

test("sidecar create ends with 7 where the host fails", async () => {
  const at = await cliPlace();
  at.hosts.onCreate = ({ name }) => {
    throw hostFailed("no", { host: name, fault: "unauthorised", kind: "never" });
  };
  assert.is((await at.sidecar({ verb: "create" }, { sidecar: SHELL })).code, 7);
});

test("CurrentBranch: sidecar list shows this tree's, and --all every one of ours at the provider", async () => {
  const at = await created();
  const now = Date.now();
  const theirs = formatHostName({ owner: "theirs00", run: "c1", index: 0, expiresAt: now + 9e6 });
  at.hosts.there.set(theirs, { id: "1", name: theirs });
  at.hosts.there.set("somebody", { id: "2", name: "somebody" });
  const own = await at.sidecar({ verb: "list" });
  assert.match(own.stdout, /^worktree on main +up +\ds old +3h 59m left|4h left/);
  const all = JSON.parse(
    (await at.sidecar({ verb: "list" }, { all: true, sidecar: SHELL, json: true })).stdout,
  );
  assert.equal(
    all.hosts.map(({ own, expired }: { own: boolean; expired: boolean }) => [own, expired]),
    [[true, false], [false, false]],
  );
});

test("sidecar list --all fails where the provider does", async () => {
  const at = await created();
  at.hosts.list = () =>
    Promise.reject(hostFailed("down", { host: "api", fault: "server-error", kind: "reconnect" }));
  assert.is((await at.sidecar({ verb: "list" }, { all: true, sidecar: SHELL })).code, 7);
});

test("Exec HappyPath, StderrOutput, UsesActiveSidecar: bytes, streams, input and the exit code", async () => {
  const at = await created();
  const bytes = Buffer.from([0, 13, 10, 255, 254, 27, 91]);
  const back = await exec(at, ["od -An -tx1; echo err >&2; exit 9"], {}, {
    stdin: Readable.from([bytes]),
  });
  assert.equal([back.code, back.stdout.trim()], [9, "00 0d 0a ff fe 1b 5b"]);
  assert.is(back.stderr, "err\n");
});

test("sidecar exec passes a large output and a large input whole", async () => {
  const at = await created();
  const big = Buffer.alloc(2_000_000, "0123456789abcdef\n");
  const digest = createHash("sha256").update(big).digest("hex");
  const { stdout } = await exec(at, ["cat"], {}, { stdin: Readable.from([big]) });
  assert.is(createHash("sha256").update(stdout).digest("hex"), digest);
});

test("Exec WithArgs, ShellJoin: one word is taken as a line and several as they are", async () => {
  const at = await created();
  assert.is((await exec(at, ["echo a  b | tr a-z A-Z"])).stdout, "A B\n");
  assert.is(
    (await exec(at, ["printf", "%s|", "a  b", "$HOME", "it's"])).stdout,
    "a  b|$HOME|it's|",
  );
});

test("LoadActiveUsesGitRootAsKey: sidecar exec --sync in a folder runs in the present tree", async () => {
  const at = await created();
  writeFileSync(join(at.repo.dir, "a.txt"), "edited\n");
  const { stdout } = await exec(at, ["cat", "b.txt", "../a.txt"], { sync: true }, {
    cwd: join(at.repo.dir, "sub"),
  });
  assert.is(stdout, "two\nedited\n");
});

test("ExecOverSSHEnvVars: sidecar exec --env gives variables", async () => {
  const at = await created();
  assert.is((await exec(at, ['echo "$A$B"'], { env: ["A=1=2", "B="] })).stdout, "1=2\n");
});

test("sidecar exec says the signal of a code above 128", async () => {
  const at = await created();
  const { code, stderr } = await exec(at, ["kill -KILL $$"]);
  assert.is(code, 137);
  assert.match(stderr, /SIGKILL/);
});

test("Exec MissingSidecarID: without a sidecar it ends with 1 and how to make one", async () => {
  const at = await cliPlace();
  const { code, stderr } = await exec(at, ["true"]);
  assert.is(code, 1);
  assert.match(stderr, /sidecar create/);
});

test("Exec APIError: sidecar exec ends with 7 where the connection is lost", async () => {
  const at = await created();
  at.hosts.before = (command) => {
    if (command.includes("lease=")) queueMicrotask(() => at.hosts.cut());
  };
  assert.is((await exec(at, ["sleep 5"])).code, 7);
});

test("Exec ExplicitIDOverridesActive: --name runs there, not on the session's", async () => {
  const at = await created();
  await at.sidecar({ verb: "create" }, { name: "big", sidecar: SHELL });
  const [session, big] = [...at.hosts.there.keys()];
  const seen = new Set<string>();
  at.hosts.before = (_command, host) => void seen.add(host.name);
  const usedBy = async (flags: object) => {
    seen.clear();
    assert.is((await exec(at, ["true"], flags)).code, 0);
    return [...seen];
  };
  assert.equal(await usedBy({ name: "big" }), [big]);
  assert.equal(await usedBy({}), [session]);
});

test("SaveActiveWritesToXDGDataPath: what is kept is below XDG_STATE_HOME, not in the tree", async () => {
  const at = await created();
  assert.is(await at.repo.sh("git status --porcelain --ignored"), "");
  assert.match(await at.repo.sh(`find '${at.stateHome}' -type f`), /\S/);
});

test("LoadActiveUsesCwdWhenNoGitRepo: a folder without a repository has a sidecar of its own", async () => {
  const at = await created();
  const cwd = await tempDir();
  const place = { name: "plain", sidecar: SHELL };
  assert.is((await at.sidecar({ verb: "create" }, place, { cwd })).code, 0);
  assert.is((await exec(at, ["true"], { name: "plain" }, { cwd })).code, 0);
  assert.is((await exec(at, ["true"], { name: "plain" })).code, 1);
});

test("sidecar exec of two processes runs at once", async () => {
  const at = await created();
  const [one, two] = [join(at.repo.base, "one"), join(at.repo.base, "two")];
  const wait = (mine: string, other: string) =>
    exec(at, [`touch ${mine}; until [ -e ${other} ]; do sleep 0.02; done; echo met`]);
  const both = await Promise.all([wait(one, two), wait(two, one)]);
  assert.equal(both.map(({ stdout }) => stdout), ["met\n", "met\n"]);
});

test("sidecar ssh feeds what is piped in to a shell", async () => {
  const at = await created();
  const { code, stdout } = await at.sidecar({ verb: "ssh", words: [] }, {}, {
    stdin: "echo in\nexit 5\n",
    env: { SHELL: "/bin/sh" },
  });
  assert.is(code, 5);
  assert.match(stdout, /in\n/);
});

test("sidecar ssh on a terminal is refused where the sidecar has none", async () => {
  const at = await created();
  const { code, stderr } = await at.sidecar({ verb: "ssh", words: [] });
  assert.is(code, 1);
  assert.match(stderr, /has no terminals/);
});

test("sidecar ssh sets the terminal raw, resizes, and always puts it back", async () => {
  const at = await created();
  const modes: boolean[] = [];
  const typed: string[] = [];
  const sizes: number[][] = [];
  const connect = at.hosts.connect.bind(at.hosts);
  let end: () => void = () => {};
  at.hosts.connect = async (ref, signal) => ({
    ...await connect(ref, signal),
    terminal: ({ columns, rows, command }) => {
      sizes.push([columns, rows]);
      assert.match(command ?? "", /base.*exec "\$\{SHELL/);
      return Promise.resolve({
        write: (bytes) => {
          typed.push(new TextDecoder().decode(bytes));
          end();
        },
        resize: (columns, rows) => void sizes.push([columns, rows]),
        ended: new Promise((resolve) => end = () => resolve({ kind: "exit", code: 6 })),
        close: () => {},
      });
    },
  });
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (mode: boolean) => {
      modes.push(mode);
      if (mode) stdin.write("\u0003");
    },
  });
  const { code } = await at.sidecar({ verb: "ssh", words: [] }, {}, { stdin });
  assert.equal([code, modes, typed, sizes], [6, [true, false], ["\u0003"], [[80, 24]]]);
});

test("sidecar sync tells tree, files, bytes and kind", async () => {
  const at = await created();
  const sync = async (flags = {}) =>
    JSON.parse((await at.sidecar({ verb: "sync" }, { json: true, ...flags })).stdout);
  const first = await sync();
  assert.equal([first.kind, first.files], ["full", 2]);
  assert.ok(first.bytes > 0);
  const same = await sync();
  assert.equal([same.kind, same.bytes, same.tree], ["present", 0, first.tree]);
  writeFileSync(join(at.repo.dir, "é 'x'\n.txt"), "new\n");
  const delta = await sync();
  assert.equal([delta.kind, delta.files], ["delta", 3]);
  await at.repo.sh("git commit -q --allow-empty -m x; git reset -q --hard HEAD~1; rm é*");
  assert.is((await sync()).tree, first.tree);
  const { stdout } = await at.sidecar({ verb: "sync" });
  assert.match(stdout, /tree [0-9a-f]{40}, 2 files, was there already\n$/);
});

test("sidecar sync notices what a command has changed there", async () => {
  const at = await created();
  await at.sidecar({ verb: "sync" });
  await exec(at, ["echo bad >a.txt; rm sub/b.txt"]);
  await at.sidecar({ verb: "sync" });
  assert.is((await exec(at, ["cat a.txt sub/b.txt"])).stdout, "one\ntwo\n");
});

test("PruneIDDeletesRemoteWhenAsked: sidecar destroy removes the session's, named ones and all", async () => {
  const at = await created();
  for (const name of ["a", "b"]) await at.sidecar({ verb: "create" }, { name, sidecar: SHELL });
  assert.is(at.hosts.there.size, 3);
  const first = await at.sidecar({ verb: "destroy", words: ["a"] });
  assert.match(first.stdout, /^a is destroyed: sidecanary-/);
  await at.sidecar({ verb: "destroy", words: [] });
  assert.is(at.hosts.there.size, 1);
  const unknown = await at.sidecar({ verb: "destroy", words: ["a"] });
  assert.equal([unknown.code, /there is "b"/.test(unknown.stderr)], [1, true]);
  await at.sidecar({ verb: "destroy", words: [] }, { all: true });
  assert.is(at.hosts.there.size, 0);
  assert.is((await at.sidecar({ verb: "destroy", words: [] })).stdout, "no sidecars\n");
});

test("sidecar destroy ends with 7 and the name of what may be left", async () => {
  const at = await created();
  at.hosts.onDestroy = ({ name }) => {
    throw hostFailed("not now", { host: name, fault: "bad-request", kind: "never" });
  };
  const { code, stdout } = await at.sidecar({ verb: "destroy", words: [] });
  assert.is(code, 7);
  assert.match(stdout, /may be left: sidecanary-.*not now/);
});

test("DeletesAbandonedSidecar, KeepsRecentlyUsedSidecar: prune removes expired ones, spares the rest", async () => {
  const at = await created();
  const now = Date.now();
  const name = (owner: string, expiresAt: number) => {
    const text = formatHostName({ owner, run: "c1", index: 0, expiresAt });
    at.hosts.there.set(text, { id: text, name: text });
    return text;
  };
  const expired = name("theirs00", now - 60_000);
  const live = name("theirs01", now + 60_000);
  const undatable = [
    name("theirs02", Date.UTC(1990, 0, 1)),
    name("theirs03", now + 900 * 86_400_000),
  ];
  const dry = JSON.parse(
    (await at.sidecar({ verb: "prune" }, { dryRun: true, json: true, sidecar: SHELL })).stdout,
  );
  assert.equal([dry.removed, dry.undatable, at.hosts.there.size], [[expired], undatable, 5]);
  const { code, stdout } = await at.sidecar({ verb: "prune" }, { sidecar: SHELL, expired: true });
  assert.is(code, 0);
  assert.match(stdout, /no believable expiry/);
  assert.match(stdout, /1 expired, 2 live and spared\n$/);
  assert.equal([at.hosts.there.has(expired), at.hosts.there.has(live)], [false, true]);
  assert.is(at.hosts.there.size, 4);
});

test("ReapFailsOpenWhenListFails: sidecar prune destroys nothing where the list fails", async () => {
  const at = await created();
  const old = formatHostName({
    owner: "theirs00",
    run: "c1",
    index: 0,
    expiresAt: Date.now() - 9e6,
  });
  at.hosts.there.set(old, { id: old, name: old });
  at.hosts.list = () =>
    Promise.reject(hostFailed("down", { host: "api", fault: "server-error", kind: "reconnect" }));
  assert.is((await at.sidecar({ verb: "prune" }, { sidecar: SHELL })).code, 7);
  assert.is(at.hosts.there.size, 2);
});
