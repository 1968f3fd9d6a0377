import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import type { Provider, RunResult, Sidecar } from "../../../runtime/sidecars/provider.ts";
import type { RemoteOptions } from "../../../runtime/sidecars/remote/remote-provider.ts";
import { suite } from "../../harness.ts";
import { type LiveTree, liveTree } from "../../kit/live-tree.ts";
import { processesWith, uniqueSleep, until } from "../../kit/processes.ts";
import { changeOf, file, options, output } from "../sandbox-contract.ts";
import { type RemoteTree, remoteTree } from "./remote-tree.ts";

const never = new AbortController().signal;

for (const lanes of ["any", "warm"] as const) {
  const test = suite(`lost connection, ${lanes} lanes`);
  const providers: Provider[] = [];

  test.after.each(async () => {
    for (const provider of providers.splice(0)) await provider.close();
  });

  const begin = async (more: Partial<RemoteOptions> = {}): Promise<Bed> => {
    const tree = await liveTree();
    const remote = await remoteTree(tree, { lanes, ...more });
    const provider = remote.provider();
    providers.push(provider);
    return { tree, ...remote, sidecar: await provider.create({ worker: 0 }, never) };
  };

  test("ResumesAfterDroppedConnection, ResumesAcrossSeveralDrops: the command runs once, as if uncut", async () => {
    const { tree, hosts, sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const [runs, go] = [join(tree.base, "runs"), join(tree.base, "go")];
    const command =
      `echo ran >> '${runs}'; echo out; echo err >&2; while [ ! -e '${go}' ]; do sleep 0.01; done; exit 7`;
    const logs = { stdout: join(tree.base, "out"), stderr: join(tree.base, "err") };
    for (let cut = 0; cut < 2; cut++) {
      const running = sandbox.run(command, options({ key: "k", logs }));
      await until("it runs", () => existsSync(runs));
      hosts.cut();
      const result = await running;
      assert.equal(lostClass(result), "transient");
      await sidecar.attach(never);
    }
    const attached = sandbox.run(command, options({ key: "k", logs }));
    await output(sandbox, `: > '${go}'`);
    const result = await attached;
    assert.equal([result.kind, "code" in result && result.code], ["exit", 7]);
    assert.equal([result.stdoutTail, result.stderrTail], ["out\n", "err\n"]);
    assert.equal([readFileSync(logs.stdout, "utf8"), readFileSync(logs.stderr, "utf8")], [
      "out\n",
      "err\n",
    ]);
    assert.is(readFileSync(runs, "utf8"), "ran\n");
    assert.equal(await sandbox.run(command, options({ key: "k", logs })), result);
    await sandbox.close();
  });

  test("run() whose workspace was removed is lost, and leaves no process", async () => {
    const { tree, sidecar } = await begin();
    const [ended, timed] = [uniqueSleep(), uniqueSleep()];
    const workspaces = join(tree.scratch, "sidecanary");
    const remove = `rm -rf '${workspaces}'/*/lanes`;
    const first = await sidecar.open(undefined, never);
    const left = await first.run(`sleep ${ended} & ${remove}`, options({ key: "k" }));
    assert.is(left.kind, "lost");
    await until("what it left has ended", () => processesWith(ended).length === 0);
    const other = await begin({ graceMs: 1000 });
    const second = await other.sidecar.open(undefined, never);
    const late = await second.run(
      `rm -rf '${join(other.tree.scratch, "sidecanary")}'/*/lanes; exec sleep ${timed}`,
      options({ key: "k", timeoutMs: 1000 }),
    );
    assert.is(late.kind, "timeout");
    await until("the command has ended", () => processesWith(timed).length === 0);
  });

  test("run() answers what ended while nobody listened", async () => {
    const { tree, hosts, sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const [runs, done] = [join(tree.base, "runs"), join(tree.base, "done")];
    const command = `echo ran >> '${runs}'; sleep 0.3; : > '${done}'; kill -KILL $$`;
    const running = sandbox.run(command, options({ key: "k" }));
    await until("it runs", () => existsSync(runs));
    hosts.cut();
    assert.is(lostClass(await running), "transient");
    await until("it is over", () => existsSync(done));
    await sidecar.attach(never);
    const result = await sandbox.run(command, options({ key: "k" }));
    assert.equal([result.kind, "name" in result && result.name], ["signal", "SIGKILL"]);
    assert.is(readFileSync(runs, "utf8"), "ran\n");
    await sandbox.close();
  });

  test("run() while there is no connection is lost for the moment, and the sandbox is not", async () => {
    const { hosts, sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const heard = new Promise<Error>((resolve) => sidecar.onDisconnect(resolve));
    hosts.cut();
    assert.is(isSidecanaryError(await heard, "host-failed"), true);
    assert.is(lostClass(await sandbox.run("true", options())), "transient");
    assert.is(await sidecar.alive(), false);
    await sidecar.attach(never);
    assert.is(await sidecar.alive(), true);
    assert.is(await output(sandbox, "cat src/a.txt"), "payload a\n");
    await sandbox.close();
  });

  test("open() that was cut leaves nothing that the next one could see", async () => {
    const { hosts, sidecar } = await begin();
    await sidecar.sync(never);
    hosts.before = (command, host) => {
      if (!command.includes("'open'")) return;
      hosts.before = () => {};
      setTimeout(() => host.cut(), 10);
    };
    const change = changeOf(file("src/a.txt", "one\n"), file("new", "n"));
    const first = await sidecar.open(change, never).then(() => "opened", (error) => error);
    assert.is(isSidecanaryError(first, "host-failed"), true);
    const sandbox = await sidecar.open(changeOf(file("src/b.txt", "two\n")), never);
    assert.is(
      await output(sandbox, "cat src/a.txt src/b.txt; ls"),
      "payload a\ntwo\nrun.sh\nsrc\n",
    );
    await sandbox.close();
  });

  test("close() without a connection leaves what runs to the next open()", async () => {
    const { hosts, sidecar } = await begin();
    const sleep = uniqueSleep();
    const sandbox = await sidecar.open(undefined, never);
    await sandbox.run(`setsid sleep ${sleep} & echo x > left`, options());
    await until("it sleeps", () => processesWith(sleep).length === 1);
    hosts.cut();
    await sandbox.close();
    const next = await sidecar.open(undefined, never);
    assert.is(processesWith(sleep).length, 0);
    assert.is(await output(next, "ls"), "run.sh\nsrc\n");
    await next.close();
  });

  test("sync() goes on after a cut", async () => {
    const { hosts, sidecar } = await begin();
    let count = 0;
    hosts.before = (_, host) => {
      if (++count === 2) setTimeout(() => host.cut(), 5);
    };
    const first = await sidecar.sync(never).then(() => "synced", (error) => error);
    assert.is(isSidecanaryError(first, "host-failed"), true);
    hosts.before = () => {};
    await sidecar.sync(never);
    const sandbox = await sidecar.open(undefined, never);
    assert.is(await output(sandbox, "cat src/a.txt"), "payload a\n");
    await sandbox.close();
  });

  test("a host ends a command that nobody asked for within the grace", async () => {
    const { hosts, sidecar } = await begin({ graceMs: 1_000 });
    const sleep = uniqueSleep();
    const sandbox = await sidecar.open(undefined, never);
    const command = `setsid sleep ${sleep} & sleep ${sleep}`;
    const running = sandbox.run(command, options({ key: "k" }));
    await until("both sleep", () => processesWith(sleep).length === 2);
    hosts.cut();
    await running;
    await until("none sleeps", () => processesWith(sleep).length === 0);
    await sidecar.attach(never);
    const result = await sandbox.run(command, options({ key: "k" }));
    assert.is(lostClass(result), "sidecar-lost");
    assert.is((await sandbox.run("true", options())).kind, "lost");
    await sandbox.close();
  });

  test("a host ends a command whose budget is over, although we sleep", async () => {
    let frozen = false;
    const clock = {
      now: () => Date.now(),
      // A process that is stopped hears no timer.
      setTimeout: (callback: () => void, ms: number) => setTimeout(() => frozen || callback(), ms),
      clearTimeout: (timer: unknown) => clearTimeout(timer as number),
    };
    const { sidecar } = await begin({ graceMs: 1_000, clock });
    const sleep = uniqueSleep();
    const sandbox = await sidecar.open(undefined, never);
    frozen = true;
    const result = await sandbox.run(
      `setsid sleep ${sleep} & sleep ${sleep}`,
      options({ timeoutMs: 50 }),
    );
    assert.is(result.kind, "timeout");
    await until("none sleeps", () => processesWith(sleep).length === 0);
    await sandbox.close();
  });

  test("a second process ends what the first one runs before it opens anything", async () => {
    const { sidecar, provider } = await begin();
    const sleep = uniqueSleep();
    const sandbox = await sidecar.open(changeOf(file("src/a.txt", "one\n")), never);
    const running = sandbox.run(`setsid sleep ${sleep} & sleep ${sleep}`, options({ key: "k" }));
    await until("both sleep", () => processesWith(sleep).length === 2);
    const second = provider({ process: "another" });
    const taken = await second.create({ worker: 0 }, never);
    assert.is(processesWith(sleep).length, 0);
    assert.equal(lostClass(await running), "sidecar-lost");
    const next = await taken.open(undefined, never);
    assert.is(await output(next, "cat src/a.txt"), "payload a\n");
    assert.is(lostClass(await sandbox.run("true", options())), "sidecar-lost");
    await next.close();
    assert.equal(second.tally().left.length, 1);
  });

  test("destroy.sh ends and removes everything, whoever runs it", async () => {
    const { tree, sidecar, hosts } = await begin();
    const sleep = uniqueSleep();
    const sandbox = await sidecar.open(undefined, never);
    const running = sandbox.run(`setsid sleep ${sleep} & sleep ${sleep}`, options());
    await until("both sleep", () => processesWith(sleep).length === 2);
    const folder = join(tree.scratch, "sidecanary");
    const [name = ""] = readdirSync(folder);
    const link = hosts.links[0];
    await link?.exec({ command: `sh '${join(folder, name, "destroy.sh")}'`, signal: never });
    assert.equal(lostClass(await running), "sidecar-lost");
    assert.is(processesWith(sleep).length, 0);
    assert.equal(readdirSync(folder), []);
    assert.is(lostClass(await sandbox.run("true", options())), "sidecar-lost");
  });

  test("what ends the supervisor is never the command's own failure", async () => {
    const { tree, sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const started = join(tree.base, "started");
    const running = sandbox.run(`: > '${started}'; sleep 30`, options({ key: "k" }));
    await until("it runs", () => existsSync(started));
    const [file = ""] = supervisors(tree);
    process.kill(Number.parseInt(readFileSync(file, "latin1"), 10), "SIGKILL");
    assert.is(lostClass(await running), "sidecar-lost");
    await sandbox.close();
  });

  test("run() of a command that nobody has begun to supervise is lost", async () => {
    const { tree, hosts, sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const started = join(tree.base, "started");
    const command = `: > '${started}'; sleep 30`;
    const running = sandbox.run(command, options({ key: "k" }));
    await until("it runs", () => existsSync(started));
    hosts.cut();
    assert.is(lostClass(await running), "transient");
    const [file = ""] = supervisors(tree);
    process.kill(Number.parseInt(readFileSync(file, "latin1"), 10), "SIGKILL");
    rmSync(file);
    await sidecar.attach(never);
    const result = await sandbox.run(command, options({ key: "k" }));
    assert.is(lostClass(result), "sidecar-lost");
    assert.match("failure" in result ? result.failure.message : "", "no supervisor");
    await sandbox.close();
  });

  test("a command is ended by a closed pipe, as anywhere else", async () => {
    const { sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const result = await sandbox.run("{ yes; echo $? >&2; } | head -n 1", options());
    assert.equal([result.stdoutTail, result.stderrTail], ["y\n", "141\n"]);
    await sandbox.close();
  });

  test("run() takes commands and variables that are longer than a command line", async () => {
    const { sidecar } = await begin();
    const sandbox = await sidecar.open(undefined, never);
    const long = "'\\''".repeat(20_000);
    assert.is(await output(sandbox, `printf %s '${long}' | wc -c`), "20000\n");
    const env = { ODD: "a'b\n c", PLAIN: "x".repeat(100_000) };
    const result = await sandbox.run(
      `printf '%s|' "$PLAIN" | wc -c; printf %s "$ODD"`,
      options({ env }),
    );
    assert.is(result.stdoutTail, "100001\na'b\n c");
    const refused = await sandbox.run(": ".padEnd(200_000, "x"), options());
    assert.is("failure" in refused && refused.failure.code, "command-not-started");
    await sandbox.close();
  });
}

interface Bed extends RemoteTree {
  readonly tree: LiveTree;
  readonly sidecar: Sidecar;
}

function lostClass(result: RunResult): string {
  return result.kind === "lost" ? result.failure.class : JSON.stringify(result);
}

function supervisors(tree: LiveTree): string[] {
  const files: string[] = [];
  const visit = (dir: string) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.name === "supervisor") {
        files.push(join(dir, entry.name));
      } else if (entry.isDirectory() && /^(sidecanary-.*|lanes|0|s\..*|r\..*)$/.test(entry.name)) {
        visit(join(dir, entry.name));
      }
    }
  };
  visit(join(tree.scratch, "sidecanary"));
  return files;
}
