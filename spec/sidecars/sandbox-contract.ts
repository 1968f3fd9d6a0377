import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type {
  Change,
  FileChange,
  Provider,
  RunOptions,
  RunResult,
  Sandbox,
  Sidecar,
} from "../../runtime/sidecars/provider.ts";
import { suite } from "../harness.ts";
import { hashTree, type LiveTree, liveTree, writeFiles } from "../kit/live-tree.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";

/** What a provider under test is made for. */
export interface ContractTree extends LiveTree {
  readonly cwd?: string;
  readonly protect?: readonly string[];
}

/** One implementation under {@link sandboxContract}. */
export interface ContractSubject {
  readonly name: string;
  /** Whether commands see the tree at its own absolute path, and so cannot leave it by that. */
  readonly samePath: boolean;
  create(tree: ContractTree): Promise<Provider>;
}

const never = new AbortController().signal;

/** What every sandbox on this machine holds to. */
export function sandboxContract(subject: ContractSubject): void {
  const test = suite(`sandbox: ${subject.name}`);
  const providers: Provider[] = [];

  test.after.each(async () => {
    for (const provider of providers.splice(0)) await provider.close();
  });

  async function providerOf(tree: ContractTree): Promise<Provider> {
    const provider = await subject.create(tree);
    providers.push(provider);
    return provider;
  }

  async function sidecarOf(tree: ContractTree, worker = 0): Promise<Sidecar> {
    return await (await providerOf(tree)).create({ worker }, never);
  }

  test("open() shows the payload, and of the live tree what the payload does not have", async () => {
    const tree = await liveTree();
    const sandbox = await (await sidecarOf(tree)).open(undefined, never);
    const shown = await output(
      sandbox,
      "cat src/a.txt src/b.txt src/deep/c.txt node_modules/dep/index.txt; sh run.sh",
    );
    assert.is(shown, "payload a\npayload b\npayload c\ndep\npayload\n");
    await sandbox.close();
  });

  test("open() is not kept by ignored files that nobody may read", async () => {
    const tree = await liveTree();
    writeFiles(tree.root, {
      "ignored/a b\n": "secret",
      "ignored/alone/only": "secret",
      "closed/x": "x",
    });
    mkdirSync(join(tree.root, "ignored", "empty"));
    const closed = ["ignored/a b\n", "ignored/alone/only", "closed"].map((path) =>
      join(tree.root, path)
    );
    for (const path of closed) chmodSync(path, 0);
    try {
      const sidecar = await sidecarOf(tree);
      for (const change of [undefined, changeOf(file("src/a.txt", "changed\n")), undefined]) {
        const sandbox = await sidecar.open(change, never);
        const shown = await output(
          sandbox,
          "cat src/a.txt node_modules/dep/index.txt; ls -A ignored/alone ignored/empty; rm -f ignored/alone/only",
        );
        const text = change === undefined ? "payload a" : "changed";
        assert.is(shown, `${text}\ndep\nignored/alone:\nonly\n\nignored/empty:\n`);
        await sandbox.close();
      }
      await sidecar.destroy();
    } finally {
      for (const path of closed) chmodSync(path, 0o700);
    }
  });

  test("run() starts in the working directory, with a worker's own environment", async () => {
    const tree = await liveTree();
    const sidecar = await sidecarOf({ ...tree, cwd: join(tree.root, "src") }, 3);
    const sandbox = await sidecar.open(undefined, never);
    const [cwd = "", worker, port, temporary = "", kind] = (await output(
      sandbox,
      'pwd; echo "$SIDECANARY_WORKER"; echo "$SIDECANARY_PORT_BASE"; echo "$TMPDIR"; test -d "$TMPDIR" && echo dir',
    )).split("\n");
    assert.is(cwd.endsWith("/src"), true);
    if (subject.samePath) assert.is(cwd, join(realpathSync(tree.root), "src"));
    assert.equal([worker, port, kind], ["3", "20300", "dir"]);
    await sandbox.close();
    const again = await sidecar.open(undefined, never);
    assert.is.not(await output(again, "echo $TMPDIR"), `${temporary}\n`);
    await again.close();
  });

  test("open() puts every kind of change in place", async () => {
    const tree = await liveTree();
    writeFiles(tree.checkout, {
      "to-dir": "file",
      "to-file/x": "x",
      "to-file/y": "y",
      "gone/z": "z",
    });
    const sidecar = await sidecarOf(tree);
    const sandbox = await sidecar.open(
      changeOf(
        file("src/a.txt", "changed a\n"),
        file("new/dir/n.txt", "new\n"),
        file("run.sh", "#!/bin/sh\necho executed\n", "100755"),
        file("link", "src/a.txt", "120000"),
        file("dangling", "no where/'\"", "120000"),
        gone("src/b.txt"),
        gone("gone/z"),
        gone("to-dir"),
        file("to-dir/inner", "inner\n"),
        gone("to-file/x"),
        gone("to-file/y"),
        file("to-file", "now a file\n"),
      ),
      never,
    );
    const shown = await output(
      sandbox,
      "cat link new/dir/n.txt to-dir/inner to-file; ./run.sh; readlink dangling; " +
        "ls -d src/b.txt gone 2>/dev/null; test -x src/a.txt || echo plain",
    );
    assert.is(
      shown,
      "changed a\nnew\ninner\nnow a file\nexecuted\nno where/'\"\nplain\n",
    );
    await sandbox.close();
    const clean = await sidecar.open(undefined, never);
    assert.is(
      await output(clean, "cat to-dir to-file/x gone/z src/a.txt; ls new link 2>/dev/null; ls src"),
      "filexzpayload a\na.txt\nb.txt\ndeep\n",
    );
    await clean.close();
  });

  test("open() takes names of any bytes, and roots with blanks, colons, commas and newlines", async () => {
    const tree = await liveTree("ro ot:a,b\\c\n'\"$x");
    const odd = "o dd/\xff\xfe :,\n'\"\\";
    const sidecar = await sidecarOf(tree);
    const sandbox = await sidecar.open(
      changeOf(
        file(odd, "bytes\n", "100755"),
        file("o dd/plain : , \n", "plain\n"),
        file("o dd/link", "\xff\xfe", "120000"),
        gone("src/a.txt"),
      ),
      never,
    );
    assert.is(
      await output(sandbox, "cat 'o dd'/*b* 'o dd'/plain*; ls 'o dd' | wc -l; ls src"),
      [
        "plain\n",
      ].join("") + (await output(sandbox, "ls 'o dd' | wc -l; ls src")),
    );
    const bytes = await output(
      sandbox,
      `cat "$(printf '${octal(odd)}')"; readlink 'o dd/link' | od -An -tx1`,
    );
    assert.is(bytes, "bytes\n ff fe 0a\n");
    await sandbox.close();
    const clean = await sidecar.open(changeOf(file("src/a.txt", "second\n")), never);
    assert.is(await output(clean, "cat src/a.txt; ls"), "second\nnode_modules\nrun.sh\nsrc\n");
    await clean.close();
  });

  test("close() leaves nothing for the next sandbox, ignored files included", async () => {
    const sidecar = await sidecarOf(await liveTree());
    const first = await sidecar.open(changeOf(file("src/a.txt", "one\n")), never);
    await output(
      first,
      "mkdir -p cache/deep && echo x > cache/deep/f; echo changed > node_modules/dep/index.txt; " +
        "echo y > node_modules/new; rm -rf src/deep; chmod 600 src/b.txt; touch run.sh; " +
        "mkdir locked && touch locked/f && chmod 0 locked",
    );
    await first.close();
    const second = await sidecar.open(changeOf(file("src/b.txt", "two\n")), never);
    assert.is(
      await output(second, "cat src/*.txt src/deep/c.txt node_modules/dep/*; ls . node_modules"),
      "payload a\ntwo\npayload c\ndep\n.:\nnode_modules\nrun.sh\nsrc\n\nnode_modules:\ndep\n",
    );
    await second.close();
  });

  test("two sidecars do not see each other's files", async () => {
    const provider = await providerOf(await liveTree());
    const [one, two] = await Promise.all([
      provider.create({ worker: 0 }, never),
      provider.create({ worker: 1 }, never),
    ]);
    const [a, b] = await Promise.all([
      one.open(changeOf(file("src/a.txt", "one\n")), never),
      two.open(changeOf(file("src/a.txt", "two\n")), never),
    ]);
    assert.is(await output(a, "echo 1 > node_modules/mine; cat src/a.txt"), "one\n");
    assert.is(await output(b, "cat src/a.txt; ls node_modules"), "two\ndep\n");
    await Promise.all([a.close(), b.close()]);
  });

  test("no command reaches the user's tree", async () => {
    const tree = await liveTree();
    git(tree.root, "init", "-q");
    git(tree.root, "add", "run.sh");
    git(tree.root, "commit", "-qm", "one");
    writeFiles(tree.root, { "src/keep": "keep" });
    const before = hashTree(tree.root);
    const payload = hashTree(tree.checkout);
    const sidecar = await sidecarOf(tree);
    const here = subject.samePath ? `"${tree.root}"` : "";
    for (
      const command of [
        `echo broken > src/a.txt; echo broken >> run.sh; chmod 777 src/b.txt; touch src/keep`,
        `git add -A . && git -c user.name=x -c user.email=x@x commit -qm two && git gc -q && git checkout -q -b b`,
        `rm -rf .git node_modules src; mkdir src; ln -s / src/root`,
        `rm -rf "$PWD" ${here}; rm -rf "$PWD"/* "$PWD"/.[a-z]*`,
      ]
    ) {
      const sandbox = await sidecar.open(undefined, never);
      const result = await sandbox.run(command, options());
      assert.is(result.kind, "exit", JSON.stringify(result));
      await sandbox.close();
    }
    assert.is(hashTree(tree.root), before);
    assert.is(hashTree(tree.checkout), payload);
    const sandbox = await sidecar.open(undefined, never);
    assert.is(
      await output(sandbox, "cat src/a.txt; git status --porcelain src/keep"),
      "payload a\n?? src/keep\n",
    );
    await sandbox.close();
  });

  test("git in a linked worktree cannot change the user's refs", async () => {
    const tree = await liveTree();
    const main = join(tree.base, "main");
    mkdirSync(main);
    git(main, "init", "-q");
    git(main, "commit", "-q", "--allow-empty", "-m", "one");
    const root = join(tree.base, "linked");
    git(main, "worktree", "add", "-q", root, "-b", "side");
    const before = hashTree(join(main, ".git"));
    const sidecar = await sidecarOf({ ...tree, root, protect: [join(main, ".git")] });
    const sandbox = await sidecar.open(undefined, never);
    const log = await output(
      sandbox,
      "git add -A && git -c user.name=x -c user.email=x@x commit -qm two && git branch other && git log --format=%s",
    );
    assert.is(log, "two\none\n");
    await sandbox.close();
    assert.is(hashTree(join(main, ".git")), before);
    const again = await sidecar.open(undefined, never);
    assert.is(await output(again, "git log --format=%s; git branch --list other"), "one\n");
    await again.close();
  });

  test("run() tells exit codes and signals apart", async () => {
    const sandbox = await (await sidecarOf(await liveTree())).open(undefined, never);
    for (const code of [0, 1, 2, 126, 127, 137, 255]) {
      const result = await sandbox.run(`exit ${code}`, options());
      assert.equal([result.kind, "code" in result && result.code], ["exit", code]);
    }
    const missing = await sandbox.run("no-such-command", options());
    assert.equal(["code" in missing && missing.code], [127]);
    const killed = await sandbox.run("kill -KILL $$", options());
    assert.equal([killed.kind, "name" in killed && killed.name], ["signal", "SIGKILL"]);
    const aborted = await sandbox.run("sh -c 'kill -SEGV $$'; exit $?", options());
    assert.equal([aborted.kind, "code" in aborted && aborted.code], ["exit", 139]);
    const group = await sandbox.run("trap '' TERM; kill -TERM 0; exit 4", options());
    assert.is.not(group.kind, "lost");
    assert.is((await sandbox.run("exit 5", options())).kind, "exit");
    await sandbox.close();
  });

  test("run() keeps three megabytes of output and answers their end", async () => {
    const tree = await liveTree();
    const sandbox = await (await sidecarOf(tree)).open(undefined, never);
    const logs = { stdout: join(tree.base, "out"), stderr: join(tree.base, "err") };
    const command =
      "head -c 3145728 /dev/zero | tr '\\0' x; echo end; head -c 3145728 /dev/zero >&2; exit 7";
    const result = await sandbox.run(command, options({ logs, tailBytes: 100 }));
    assert.equal([result.kind, "code" in result && result.code], ["exit", 7]);
    assert.is(result.stdoutTail, `${"x".repeat(96)}end\n`);
    assert.is(result.stderrTail.length, 100);
    assert.equal([statSync(logs.stdout).size, statSync(logs.stderr).size], [3145732, 3145728]);
    await sandbox.close();
  });

  test("run() bounds the log of a command that never stops writing", async () => {
    const tree = await liveTree();
    const sandbox = await (await sidecarOf(tree)).open(undefined, never);
    const logs = { stdout: join(tree.base, "out"), stderr: join(tree.base, "err") };
    const command =
      "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero | tr '\\0' x; sleep 0.02; i=$((i+1)); done; echo end";
    const result = await sandbox.run(
      command,
      options({ logs, maxLogBytes: 500_000, tailBytes: 1000 }),
    );
    assert.is(result.kind, "exit");
    assert.is(statSync(logs.stdout).size < 2_500_000, true);
    assert.is(result.stdoutTail, `${"x".repeat(996)}end\n`);
    await sandbox.close();
  });

  test("run() takes a budget of more milliseconds than a timer can", async () => {
    const sandbox = await (await sidecarOf(await liveTree())).open(undefined, never);
    const result = await sandbox.run("sleep 0.1", { timeoutMs: 2 ** 31, signal: never });
    assert.is(result.kind, "exit");
    await sandbox.close();
  });

  test("run() ends at its timeout and takes along what ignores SIGTERM or left the session", async () => {
    const sleep = uniqueSleep();
    const sandbox = await (await sidecarOf(await liveTree())).open(undefined, never);
    const command = `trap '' TERM; setsid sleep ${sleep} & sleep ${sleep}; sleep ${sleep}`;
    const running = sandbox.run(command, options({ timeoutMs: 300 }));
    await until("both sleep", () => processesWith(sleep).length >= 2);
    const result = await running;
    assert.is(result.kind, "timeout");
    await until("none sleeps", () => processesWith(sleep).length === 0);
    assert.is((await sandbox.run("true", options())).kind, "lost");
    await sandbox.close();
  });

  test("close() ends what a command left in the background, and run() did not wait for it", async () => {
    const sleep = uniqueSleep();
    const sandbox = await (await sidecarOf(await liveTree())).open(undefined, never);
    const command = `setsid sleep ${sleep} & sleep ${sleep} & env -i sleep ${sleep} & exit 3`;
    const result = await sandbox.run(command, options());
    assert.equal([result.kind, "code" in result && result.code], ["exit", 3]);
    await until("all sleep", () => processesWith(sleep).length === 3);
    assert.is((await sandbox.run("true", options())).kind, "exit");
    assert.is(processesWith(sleep).length, 3);
    await sandbox.close();
    assert.is(processesWith(sleep).length, 0);
  });

  test("run() answers lost when it is cancelled, and everything is dead", async () => {
    const sleep = uniqueSleep();
    const sandbox = await (await sidecarOf(await liveTree())).open(undefined, never);
    const controller = new AbortController();
    const running = sandbox.run(`setsid sleep ${sleep} & sleep ${sleep}`, {
      ...options(),
      signal: controller.signal,
    });
    await until("both sleep", () => processesWith(sleep).length === 2);
    controller.abort();
    const result = await running;
    assert.equal([result.kind, "failure" in result && result.failure.code], ["lost", "cancelled"]);
    await until("none sleeps", () => processesWith(sleep).length === 0);
    await sandbox.close();
  });

  test("run() answers lost, not a failure, when the working directory is gone", async () => {
    const tree = await liveTree();
    const sidecar = await sidecarOf({ ...tree, cwd: join(tree.root, "src") });
    const sandbox = await sidecar.open(undefined, never);
    await sandbox.run("cd ..; rm -rf src", options());
    const result = await sandbox.run("exit 1", options());
    assert.equal(
      [result.kind, "failure" in result && result.failure.code],
      ["lost", "command-not-started"],
    );
    await sandbox.close();
  });

  test("freeze() lets every later sandbox start from the baseline's files", async () => {
    const tree = await liveTree();
    writeFiles(tree.root, { "old-cache": "old" });
    const provider = await providerOf(tree);
    assert.is(provider.warmth, subject.samePath ? "shared" : "own");
    const one = await provider.create({ worker: 0 }, never);
    const two = await provider.create({ worker: 1 }, never);
    for (const sidecar of provider.warmth === "shared" ? [one] : [one, two]) {
      const baseline = await sidecar.open(undefined, never);
      await output(
        baseline,
        "mkdir -p dist/deep && echo built > dist/deep/out; echo warm > node_modules/dep/index.txt; rm old-cache; mkdir empty",
      );
      await sidecar.freeze(baseline);
    }
    for (const sidecar of [one, two, one, two]) {
      const sandbox = await sidecar.open(changeOf(file("src/a.txt", "v\n")), never);
      assert.is(
        await output(
          sandbox,
          "cat dist/deep/out node_modules/dep/index.txt src/a.txt; ls; mv src renamed && cat renamed/b.txt; rm -rf dist node_modules empty; touch old-cache",
        ),
        "built\nwarm\nv\ndist\nempty\nnode_modules\nrun.sh\nsrc\npayload b\n",
      );
      await sandbox.close();
    }
  });

  test("a changed file is always newer than what the baseline built", async () => {
    const tree = await liveTree();
    const sidecar = await sidecarOf(tree);
    const baseline = await sidecar.open(undefined, never);
    await output(baseline, "cat src/a.txt > built");
    await sidecar.freeze(baseline);
    const sandbox = await sidecar.open(changeOf(file("src/a.txt", "other a..\n")), never);
    assert.is(await output(sandbox, "[ src/a.txt -nt built ] && echo newer"), "newer\n");
    await sandbox.close();
  });

  test("a cache by second and size never takes one variant for another", async () => {
    // What Python does with bytecode: the trap that made 20 of 20 variants survive.
    const tree = await liveTree();
    const outside = join(tree.base, "outside");
    mkdirSync(outside, { mode: 0o777 });
    const cached = (dir: string) =>
      `d=${dir}; mkdir -p "$d"; k=$(stat -c %Y-%s src/a.txt); [ -f "$d/$k" ] || cp src/a.txt "$d/$k"; cat "$d/$k"`;
    const command = `${cached("node_modules/cache")}; ${cached(`"${outside}"`)}`;
    const sidecar = await sidecarOf(tree);
    const baseline = await sidecar.open(undefined, never);
    assert.is(await output(baseline, command), "payload a\npayload a\n");
    await sidecar.freeze(baseline);
    for (let index = 0; index < 8; index++) {
      const sandbox = await sidecar.open(changeOf(file("src/a.txt", `payload ${index}\n`)), never);
      assert.is(await output(sandbox, command), `payload ${index}\n`.repeat(2));
      await sandbox.close();
      const clean = await sidecar.open(undefined, never);
      assert.is(await output(clean, command), "payload a\n".repeat(2));
      await clean.close();
    }
  }, { timeoutMs: 20_000 });

  test("close() of the provider leaves no file, no mount and no process", async () => {
    const tree = await liveTree();
    const provider = await providerOf(tree);
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const sleep = uniqueSleep();
    const sidecar = await provider.create({ worker: 0 }, never);
    const first = await sidecar.open(undefined, never);
    await first.run("mkdir a; echo x > b", options());
    await sidecar.freeze(first);
    const second = await sidecar.open(changeOf(file("src/a.txt", "v")), never);
    await second.run(`setsid sleep ${sleep} & rm -rf node_modules; chmod 0 a`, options());
    assert.equal(await provider.list(), [{ id: sidecar.id, worker: 0 }]);
    await provider.close();
    assert.equal(await provider.list(), []);
    assert.equal(readdirSync(tree.scratch), []);
    assert.is(processesWith(sleep).length, 0);
    assert.is(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
  });

  test("close() of the provider while a sidecar is made waits for it and leaves nothing", async () => {
    const tree = await liveTree();
    const provider = await providerOf(tree);
    const making = provider.create({ worker: 0 }, never);
    await provider.close();
    assert.is(await (await making).alive(), false);
    assert.equal(await provider.list(), []);
    assert.equal(readdirSync(tree.scratch), []);
    const late = await provider.create({ worker: 1 }, never).then(() => undefined, (e) => e);
    assert.instance(late, TypeError);
  });

  test("destroy() while a sandbox opens waits for it and leaves nothing", async () => {
    const tree = await liveTree();
    const provider = await providerOf(tree);
    const sidecar = await provider.create({ worker: 0 }, never);
    const opening = sidecar.open(undefined, never).then(() => "opened", () => "refused");
    await sidecar.destroy();
    assert.is(await Promise.race([opening, Promise.resolve("opens still")]), "refused");
    assert.is(processesWith(tree.scratch).length, 0);
    await provider.close();
    assert.equal(readdirSync(tree.scratch), []);
  });

  test("open() of one sandbox at a time: a second one is refused", async () => {
    const hasty = await sidecarOf(await liveTree());
    const both = await Promise.allSettled([
      hasty.open(undefined, never),
      hasty.open(undefined, never),
    ]);
    assert.equal(both.map((each) => each.status), ["fulfilled", "rejected"]);
    const sidecar = await sidecarOf(await liveTree());
    const sandbox = await sidecar.open(undefined, never);
    let refused: unknown;
    await sidecar.open(undefined, never).catch((error) => refused = error);
    assert.instance(refused, TypeError);
    await sandbox.close();
    await sandbox.close();
    assert.is(await sidecar.alive(), true);
    await sidecar.destroy();
    await sidecar.destroy();
    assert.is(await sidecar.alive(), false);
  });

  test("open() writes through no link of the tree", async () => {
    const tree = await liveTree();
    const outside = join(tree.base, "outside");
    mkdirSync(outside);
    symlinkSync(outside, join(tree.root, "linked"));
    const sidecar = await sidecarOf(tree);
    const sandbox = await sidecar.open(changeOf(file("linked/inner", "x")), never);
    assert.is(await output(sandbox, "cat linked/inner"), "x");
    await sandbox.close();
    assert.is(existsSync(join(outside, "inner")), false);
    assert.is(lstatSync(join(tree.root, "linked")).isSymbolicLink(), true);
  });
}

export function options(more: Partial<RunOptions> = {}): RunOptions {
  return { timeoutMs: 8_000, signal: never, ...more };
}

export async function output(sandbox: Sandbox, command: string): Promise<string> {
  const result: RunResult = await sandbox.run(command, options());
  if (result.kind === "lost") throw new Error(result.failure.message);
  return result.stdoutTail;
}

export function changeOf(...files: FileChange[]): Change {
  return { id: "variant", files };
}

export function file(
  path: string,
  text: string,
  mode: "100644" | "100755" | "120000" = "100644",
): FileChange {
  return { path, mode, bytes: Buffer.from(text, "latin1") };
}

export function gone(path: string): FileChange {
  return { path, mode: "deleted" };
}

function octal(bytes: string): string {
  return [...Buffer.from(bytes, "latin1")].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`)
    .join("");
}

function git(cwd: string, ...args: string[]): void {
  const identity = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgSign=false"];
  execFileSync("git", [...identity, ...args], { cwd, stdio: "pipe" });
}
