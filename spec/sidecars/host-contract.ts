import { createHash } from "node:crypto";
import process from "node:process";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import type { Host, HostExec, HostExit } from "../../runtime/sidecars/host.ts";
import { suite } from "../harness.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";

/** A host under {@link hostContract}, and how its connection is lost. */
export interface HostSubject {
  readonly host: Host;
  /** Loses the connection, as the network does. */
  lose(): void;
  /** Takes down what the host stands on, commands that run included. */
  end(): Promise<void>;
}

/** How one command ended, and what it said. */
export interface HostRun {
  readonly exit: HostExit;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const never = new AbortController().signal;
const MIB = 1024 * 1024;

/** Runs a command and keeps what it says. */
export async function run(
  host: Host,
  command: string,
  more: Partial<HostExec> = {},
): Promise<HostRun> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const exit = await host.exec({
    command,
    onStdout: (chunk) => stdout.push(Uint8Array.from(chunk)),
    onStderr: (chunk) => stderr.push(Uint8Array.from(chunk)),
    signal: never,
    ...more,
  });
  return { exit, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
}

/** What hosts of one kind have of their own. */
export interface HostTraits {
  /**
   * How a command that a signal ended is told: by the signal's name, or as a shell would by its code.
   * @default "named"
   */
  readonly signals?: "named" | "128 + n";
}

/** What every {@link Host} holds to. */
export function hostContract(
  name: string,
  open: () => Promise<HostSubject>,
  { signals = "named" }: HostTraits = {},
): void {
  const test = suite(`host: ${name}`);
  const subjects: HostSubject[] = [];

  test.after.each(async () => {
    for (const subject of subjects.splice(0)) {
      await subject.host.close();
      await subject.end();
    }
  });

  async function opened(): Promise<HostSubject> {
    const subject = await open();
    subjects.push(subject);
    return subject;
  }

  test("SeparatesStreams: exec() answers the exit code, and what was written on both outputs", async () => {
    const { host } = await opened();
    const said = await run(host, "echo out; echo err >&2; exit 7");
    assert.equal(said.exit, { kind: "exit", code: 7 });
    assert.is(said.stdout.toString(), "out\n");
    assert.is(said.stderr.toString(), "err\n");
    assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
    assert.equal((await run(host, "exit 255")).exit, { kind: "exit", code: 255 });
  });

  test("exec() answers 127 for a command that is not there, and 126 for one that cannot run", async () => {
    const { host } = await opened();
    assert.equal((await run(host, "no-such-command-here")).exit, { kind: "exit", code: 127 });
    assert.equal((await run(host, "/dev/null")).exit, { kind: "exit", code: 126 });
  });

  test("ExitCodeAndSignal: exec() tells the signal that ended a command", async () => {
    const { host } = await opened();
    for (const [signal, number] of [["KILL", 9], ["TERM", 15], ["SEGV", 11]] as const) {
      const { exit } = await run(host, `kill -${signal} $$`);
      const named: HostExit = { kind: "signal", name: `SIG${signal}` };
      assert.equal(exit, signals === "named" ? named : { kind: "exit", code: 128 + number });
    }
  });

  test("PreservesBytesExactly: exec() takes every byte both ways as it is", async () => {
    const { host } = await opened();
    const bytes = Uint8Array.from({ length: 256 * 300 }, (_, at) => at % 256);
    const { exit, stdout } = await run(host, "cat", { stdin: bytes });
    assert.equal(exit, { kind: "exit", code: 0 });
    assert.is(Buffer.compare(stdout, bytes), 0);
  });

  test("exec() reads standard input from a stream, piece by piece", async () => {
    const { host } = await opened();
    async function* pieces(): AsyncIterable<Uint8Array> {
      for (const piece of ["a", "", "b\0c", "d"]) yield await Promise.resolve(Buffer.from(piece));
    }
    assert.is((await run(host, "cat", { stdin: pieces() })).stdout.toString(), "ab\0cd");
  });

  test("exec() without input gives end of file at once", async () => {
    const { host } = await opened();
    assert.is((await run(host, "cat; echo end")).stdout.toString(), "end\n");
  });

  test("exec() takes 8 MiB of input from a stream, and no faster than it is read", async () => {
    const { host } = await opened();
    const piece = Buffer.alloc(65_536, "0123456789abcdef");
    let taken = 0;
    async function* pieces(): AsyncIterable<Uint8Array> {
      for (; taken < 8 * MIB; taken += piece.length) yield await Promise.resolve(piece);
    }
    const hash = createHash("sha256");
    for (let at = 0; at < 8 * MIB; at += piece.length) hash.update(piece);
    let takenBefore = Infinity;
    const out: Uint8Array[] = [];
    const exit = await host.exec({
      command: "sleep 0.3; echo reads; cat",
      stdin: pieces(),
      onStdout: (chunk) => {
        if (takenBefore === Infinity) takenBefore = taken;
        out.push(Uint8Array.from(chunk));
      },
      signal: never,
    });
    const stdout = Buffer.concat(out);
    assert.equal(exit, { kind: "exit", code: 0 });
    assert.ok(takenBefore < 7 * MIB, `${takenBefore} bytes were taken before the first was read`);
    assert.is(
      createHash("sha256").update(stdout.subarray("reads\n".length)).digest("hex"),
      hash.digest("hex"),
    );
  }, { timeoutMs: 30_000 });

  test("LargeOutput: exec() hands on 8 MiB of each output", async () => {
    const { host } = await opened();
    const command = "head -c 8388608 /dev/zero; head -c 8388608 /dev/zero >&2; exit 3";
    const { exit, stdout, stderr } = await run(host, command);
    assert.equal(exit, { kind: "exit", code: 3 });
    assert.equal([stdout.length, stderr.length], [8 * MIB, 8 * MIB]);
  }, { timeoutMs: 30_000 });

  test("exec() ends though nobody listens to 8 MiB of either output", async () => {
    const { host } = await opened();
    const command = "head -c 8388608 /dev/zero; head -c 8388608 /dev/zero >&2; exit 4";
    assert.equal(await host.exec({ command, signal: never }), { kind: "exit", code: 4 });
  }, { timeoutMs: 30_000 });

  test("exec() ends with a command that does not read its input, and lets go of the source", async () => {
    const { host } = await opened();
    let released = false;
    async function* endless(): AsyncIterable<Uint8Array> {
      try {
        while (true) yield await Promise.resolve(Buffer.alloc(65_536));
      } finally {
        released = true;
      }
    }
    const { exit } = await run(host, "exec <&-; exit 5", { stdin: endless() });
    assert.equal(exit, { kind: "exit", code: 5 });
    await until("the source is released", () => released);
    async function* silent(): AsyncIterable<Uint8Array> {
      yield await new Promise<Uint8Array>(() => {});
    }
    assert.equal((await run(host, "exit 6", { stdin: silent() })).exit, { kind: "exit", code: 6 });
    const much = Buffer.alloc(8 * MIB);
    assert.equal((await run(host, "exit 8", { stdin: much })).exit, { kind: "exit", code: 8 });
  });

  test("exec() rejects with what its input throws, and the connection stays", async () => {
    const { host } = await opened();
    async function* broken(): AsyncIterable<Uint8Array> {
      yield await Promise.resolve(Buffer.from("some"));
      throw new RangeError("no more");
    }
    const error = await failure(run(host, "cat", { stdin: broken() }));
    assert.instance(error, RangeError);
    assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
  });

  test("exec() rejects with what a listener throws, and the connection stays", async () => {
    const { host } = await opened();
    const onStdout = () => {
      throw new RangeError("not this");
    };
    assert.instance(await failure(run(host, "echo x; cat", { onStdout })), RangeError);
    assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
  });

  test("exec() runs commands with quotes, newlines, backslashes and any letters", async () => {
    const { host } = await opened();
    const texts = [
      "it's",
      'say "hi"',
      "a\nb",
      "\\n \\\\ \\' \\0101",
      "!! !x",
      "$HOME `id` $(id)",
      "ünïcödé 漢字 🦜",
      "%s %b %%",
      "*?[a]~",
      "a;b&c|d<e>f(g)",
      "\t tab",
    ];
    for (const text of texts) {
      const quoted = `'${text.replaceAll("'", "'\\''")}'`;
      const { stdout } = await run(host, `printf '%s|' ${quoted}`);
      assert.is(stdout.toString(), `${text}|`, text);
    }
    const { stdout } = await run(host, "if true\nthen\n  echo 'one\ntwo'\nfi\n# end\n\n");
    assert.is(stdout.toString(), "one\ntwo\n");
  });

  test("exec() takes a command of 100,000 bytes, and a script of 100 kB on standard input", async () => {
    const { host } = await opened();
    const long = `: ${"x".repeat(99_980)}\necho end`;
    assert.is((await run(host, long)).stdout.toString(), "end\n");
    const line = "v=$((${v:-0} + 1)) # it's line\n";
    const script = line.repeat(Math.ceil(100_000 / line.length)) + "echo $v; exit 9";
    const said = await run(host, "sh -s", { stdin: Buffer.from(script) });
    assert.equal(said.exit, { kind: "exit", code: 9 });
    assert.is(said.stdout.toString(), `${Math.ceil(100_000 / line.length)}\n`);
  });

  test("exec() runs twelve commands at once, each with its own input and output", async () => {
    const { host } = await opened();
    const all = Array.from(
      { length: 12 },
      (_, at) =>
        run(host, `cat; echo "err ${at}" >&2; exit ${at}`, {
          stdin: Buffer.from(`${at} `.repeat(20_000)),
        }),
    );
    for (const [at, { exit, stdout, stderr }] of (await Promise.all(all)).entries()) {
      assert.equal(exit, { kind: "exit", code: at });
      assert.is(stdout.toString(), `${at} `.repeat(20_000));
      assert.is(stderr.toString(), `err ${at}\n`);
    }
  }, { timeoutMs: 20_000 });

  test("exec() rejects with the reason of an abort: before, while it waits, while it runs", async () => {
    const { host } = await opened();
    const reason = new RangeError("enough");
    assert.is(await failure(run(host, "true", { signal: AbortSignal.abort(reason) })), reason);
    const sleep = uniqueSleep();
    const controllers = Array.from({ length: 9 }, () => new AbortController());
    const all = controllers.map((each) =>
      failure(run(host, `exec sleep ${sleep}`, { signal: each.signal }))
    );
    await until("commands run", () => processesWith(sleep).length >= 4);
    for (const each of controllers.reverse()) each.abort(reason);
    for (const error of await Promise.all(all)) assert.is(error, reason);
    assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
    killAll(sleep);
  });

  test("exec() ends by abort while its input waits", async () => {
    const { host } = await opened();
    const controller = new AbortController();
    let released = false;
    async function* endless(): AsyncIterable<Uint8Array> {
      try {
        while (true) yield await Promise.resolve(Buffer.alloc(65_536));
      } finally {
        released = true;
      }
    }
    const reason = new RangeError("enough");
    const sleep = uniqueSleep();
    const running = failure(
      run(host, `echo up; exec sleep ${sleep}`, {
        stdin: endless(),
        onStdout: () => controller.abort(reason),
        signal: controller.signal,
      }),
    );
    assert.is(await running, reason);
    await until("the source is released", () => released);
    killAll(sleep);
  });

  test("a lost connection is host-failed, reconnect, for what runs, what waits and what comes", async () => {
    const { host, lose } = await opened();
    const sleep = uniqueSleep();
    const all = Array.from({ length: 9 }, () => failure(run(host, `exec sleep ${sleep}`)));
    await until("commands run", () => processesWith(sleep).length >= 4);
    lose();
    for (const error of await Promise.all(all)) assertLost(error);
    assertLost(await failure(run(host, "true")));
    assert.instance(await host.closed, Error);
    await host.close();
    killAll(sleep);
  });

  test("a connection lost in the middle of much output and input ends the command", async () => {
    const { host, lose } = await opened();
    let bytes = 0;
    let asked = false;
    async function* endless(): AsyncIterable<Uint8Array> {
      while (true) yield await Promise.resolve(Buffer.alloc(65_536));
    }
    const error = await failure(
      run(host, "cat", {
        stdin: endless(),
        onStdout: (chunk) => {
          bytes += chunk.length;
          if (bytes < MIB || asked) return;
          asked = true;
          lose();
        },
      }),
    );
    assertLost(error);
    assert.ok(bytes >= MIB);
  });

  test("close() may be repeated, ends what runs, and closed says nothing then", async () => {
    const { host } = await opened();
    const sleep = uniqueSleep();
    const running = failure(run(host, `exec sleep ${sleep}`));
    await until("the command runs", () => processesWith(sleep).length > 0);
    await Promise.all([host.close(), host.close()]);
    await host.close();
    assertLost(await running);
    assert.is(await host.closed, undefined);
    assertLost(await failure(run(host, "true")));
    killAll(sleep);
  });
}

/** What a promise is rejected with; fails where it is not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const settled = await promise.then((value) => ({ value }), (error: unknown) => ({ error }));
  if ("error" in settled) return settled.error;
  throw new Error(`did not fail, but answered ${JSON.stringify(settled.value)}`);
}

function assertLost(error: unknown): void {
  if (!isSidecanaryError(error, "host-failed")) throw error;
  assert.is(error.details.kind, "reconnect");
}

function killAll(word: string): void {
  for (const pid of processesWith(word)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}
