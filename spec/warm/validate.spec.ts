import * as assert from "uvu/assert";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { processesWith } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { cliPlace, configured } from "./cli-place.ts";

const test = suite("validate");

const hook = (fields: object = {}) => JSON.stringify({ session_id: "s1", ...fields });

test("SidecarImageNoActiveSidecarAutoCreates: the commands run in the delivered tree, output as it is", async () => {
  const at = await cliPlace(configured("cat a.txt; printf 'x\\0\\r'; echo err >&2", "true"));
  const { code, stdout, stderr } = await at.validate();
  assert.equal([code, stdout], [0, "one\nx\0\r"]);
  assert.match(stderr, /err\n/);
  assert.match(stderr, /2\/2 passed in \d+\.\ds\n$/);
});

test("validate sees edits of the same sidecar, tracked and untracked", async () => {
  const at = await cliPlace(configured("cat a.txt new.txt 2>/dev/null || true"));
  await at.validate();
  writeFileSync(join(at.repo.dir, "a.txt"), "edited\n");
  writeFileSync(join(at.repo.dir, "new.txt"), "new\n");
  const { stdout } = await at.validate();
  assert.is(stdout, "edited\nnew\n");
  assert.is(at.hosts.asked.length, 1);
});

test("validate puts back what an earlier command changed, and keeps what is in no tree", async () => {
  const at = await cliPlace(
    configured("cat a.txt; cat cache 2>/dev/null; echo bad >a.txt; echo warm >cache"),
  );
  assert.is((await at.validate()).stdout, "one\n");
  assert.is((await at.validate()).stdout, "one\nwarm\n");
});

test("validate runs in the folder of the configuration", async () => {
  const at = await cliPlace(`cd sub\n${configured("cat b.txt")}cd ..`);
  const { code, stdout } = await at.validate({}, { cwd: join(at.repo.dir, "sub") });
  assert.equal([code, stdout], [0, "two\n"]);
});

test("RunLocalSkipsAfterFailure: validate stops at the first failure and ends with 2", async () => {
  const at = await cliPlace(configured("true", "exit 3", "touch ../never"));
  const { code, stderr } = await at.validate();
  assert.is(code, 2);
  assert.match(stderr, /exit code 3/);
  assert.match(stderr, /skipped\n1\/3 passed/);
});

test("Inline: validate [name] runs only that command, and --command another one", async () => {
  const at = await cliPlace(configured({ name: "a", run: "echo A" }, { name: "b", run: "echo B" }));
  assert.is((await at.validate({ named: "b" })).stdout, "B\n");
  assert.is((await at.validate({ command: [{ name: "c", run: "echo C" }] })).stdout, "C\n");
  const unknown = await at.validate({ named: "c" });
  assert.is(unknown.code, 1);
  assert.match(unknown.stderr, /no command "c"/);
});

test("validate kills a command that takes too long, with all that it started", async () => {
  const at = await cliPlace(configured("true"));
  const mark = join(at.repo.base, "mark");
  const run = `(sleep 2; touch ${mark}) & sleep 30`;
  const { code, stderr } = await at.validate({ command: [{ name: "slow", run }], timeout: 300 });
  assert.is(code, 2);
  assert.match(stderr, /slow: killed after .*: it took too long/);
  // What is left would be a process in the workspace.
  const left = await at.repo.sh(`ps -eo args | grep -c '[t]ouch ${mark}' || true`);
  assert.equal([left.trim(), existsSync(mark)], ["0", false]);
});

test("validate --env gives variables to the commands", async () => {
  const at = await cliPlace(configured('echo "$A"'));
  assert.is((await at.validate({ env: ["A=it's=so"] })).stdout, "it's=so\n");
});

test("validate --json prints the result alone on standard output", async () => {
  const at = await cliPlace(configured({ name: "say", run: "echo hello; exit 4" }));
  const { code, stdout, stderr } = await at.validate({ json: true });
  const { passed, results } = JSON.parse(stdout);
  assert.equal([code, passed, results[0].exitCode, results[0].status], [2, false, 4, "failed"]);
  assert.match(stderr, /hello/);
});

test("List, DryRun: validate --list and --dry-run connect to nothing", async () => {
  const at = await cliPlace(configured({ name: "t", run: "npm test" }));
  assert.match((await at.validate({ list: true })).stdout, /^t +npm test +300s\n$/);
  const { stdout } = await at.validate({ dryRun: true, json: true });
  assert.equal(JSON.parse(stdout).where, "ssh://shell");
  assert.is(at.hosts.links.length, 0);
});

test("validate without a place says what to configure and runs nothing here", async () => {
  const at = await cliPlace(`echo '{"commands":["touch ran"]}' >sidecanary.json`);
  const { code, stderr } = await at.validate();
  assert.is(code, 1);
  assert.match(stderr, /--sidecar/);
  assert.not.ok(existsSync(join(at.repo.dir, "ran")));
});

test("validate that cannot have a sidecar ends with 7, and runs nothing here", async () => {
  const at = await cliPlace(configured("touch ran"));
  at.hosts.onCreate = ({ name }) => {
    throw hostFailed("none left", { host: name, fault: "limit-reached", kind: "never" });
  };
  const { code, stderr } = await at.validate();
  assert.is(code, 7);
  assert.match(stderr, /none left/);
  assert.not.ok(existsSync(join(at.repo.dir, "ran")));
});

test("validate --sidecar local runs in a sandbox of this machine", async () => {
  const at = await cliPlace(configured("cat a.txt; echo bad >a.txt"));
  const { code, stdout, stderr } = await at.validate({ sidecar: ["local:copy"] });
  assert.equal([code, stdout], [0, "one\n"], stderr);
  assert.is(await at.repo.sh("cat a.txt"), "one\n");
  assert.is(at.hosts.asked.length, 0);
});

test("validate runs a command again whose connection was lost", async () => {
  const at = await cliPlace(configured("cat a.txt; echo bad >a.txt; sleep 0.2; echo done"));
  let cut = false;
  at.hosts.before = (command) => {
    if (cut || !command.includes("lease=1")) return;
    cut = true;
    queueMicrotask(() => at.hosts.cut());
  };
  const { code, stdout, stderr } = await at.validate();
  assert.is(code, 0, stderr);
  assert.match(stdout, /one\ndone\n$/);
  assert.match(stderr, /runs again/);
});

test("SessionIsolation: validate of two sessions uses two sidecars, whatever the ids are", async () => {
  const at = await cliPlace(configured("true"));
  await at.validate({ session: "../../x" });
  await at.validate({}, { env: { CLAUDE_CODE_SESSION_ID: "../../y" } });
  await at.validate({}, { env: { SIDECANARY_SESSION: "../../x", CHUNK_SESSION_ID: "z" } });
  assert.is(at.hosts.asked.length, 2);
});

test("Hook clean: validate in a hook is silent where the tree is green already", async () => {
  const at = await cliPlace(configured("echo run >>../runs"));
  const first = await at.validate({}, { stdin: hook() });
  assert.equal([first.code, first.stdout], [0, ""]);
  assert.match(first.stderr, /1\/1 passed/);
  const links = at.hosts.links.length;
  const second = await at.validate({}, { stdin: hook() });
  assert.equal(second, { code: 0, stdout: "", stderr: "" });
  assert.is(at.hosts.links.length, links);
});

test("CacheMissAfterEdit: validate in a hook runs again for an edit, other commands, another session", async () => {
  const at = await cliPlace(configured("true"));
  const ran = async (...args: Parameters<typeof at.validate>) =>
    (await at.validate(...args)).stderr.includes("passed");
  const command = [{ name: "x", run: "true" }];
  assert.is(await ran({}, { stdin: hook() }), true);
  assert.is(await ran({ command }, { stdin: hook() }), true);
  assert.is(await ran({}, { stdin: hook() }), true);
  assert.is(await ran({}, { stdin: hook({ session_id: "s2" }) }), true);
  assert.is(await ran({}, { stdin: hook() }), false);
  writeFileSync(join(at.repo.dir, "a.txt"), "edited\n");
  assert.is(await ran({}, { stdin: hook() }), true);
});

test("Hook dirty, WrapHookResult: it ends with 2 and the end of the output, three times, then with 0", async () => {
  const at = await cliPlace(configured("seq 1 5000; echo last words; exit 1"));
  const codes: number[] = [];
  let stderr = "";
  for (let attempt = 0; attempt < 4; attempt++) {
    const answer = await at.validate({}, { stdin: hook({ stop_hook_active: true }) });
    codes.push(answer.code);
    stderr = answer.stderr;
    assert.is(answer.stdout, "");
    assert.match(stderr, /last words/);
    assert.ok(stderr.length < 10_000);
  }
  assert.equal(codes, [2, 2, 2, 0]);
  assert.match(stderr, /ask the user/);
  const anew = await at.validate({}, { stdin: hook({ stop_hook_active: false }) });
  assert.is(anew.code, 2);
});

test("Attempts: validate in a hook begins the count anew after a pass", async () => {
  const at = await cliPlace(configured("test -e ok"));
  const run = async () => (await at.validate({}, { stdin: hook() })).code;
  const codes = [await run(), await run(), await run()];
  writeFileSync(join(at.repo.dir, "ok"), "");
  codes.push(await run());
  writeFileSync(join(at.repo.dir, "a.txt"), "edited\n");
  await at.repo.sh("rm ok");
  codes.push(await run());
  assert.equal(codes, [2, 2, 2, 0, 2]);
});

test("FailureIsNotCached: validate in a hook remembers no failure as a result", async () => {
  const at = await cliPlace(configured("echo run >>$HOME_LOG; exit 1"));
  const log = join(at.repo.base, "log");
  const run = () => at.validate({ env: [`HOME_LOG=${log}`] }, { stdin: hook() });
  await run();
  await run();
  assert.is(await at.repo.sh(`cat ${log}`), "run\nrun\n");
});

test("Hook setup error: validate in a hook without a sidecar is no failed test", async () => {
  const at = await cliPlace(configured("true"));
  at.hosts.onCreate = ({ name }) => {
    throw hostFailed("none left", { host: name, fault: "limit-reached", kind: "never" });
  };
  assert.is((await at.validate({}, { stdin: hook() })).code, 7);
});

test("validate in a hook does nothing where hooks are disabled", async () => {
  const at = await cliPlace(configured("false"));
  const env = { SIDECANARY_HOOKS_DISABLED: "1" };
  assert.equal(await at.validate({}, { stdin: hook(), env }), { code: 0, stdout: "", stderr: "" });
});

test("validate does not wait for an open, empty standard input", async () => {
  const at = await cliPlace(configured("echo ran"));
  const { code, stdout } = await at.validate({}, { stdin: new PassThrough() });
  assert.equal([code, stdout], [0, "ran\n"]);
});

test("validate takes no other text for a hook", async () => {
  const at = await cliPlace(configured("echo ran"));
  for (
    const stdin of ["", "[]", "null", '{"session_id":7}', "text", "x".repeat(1 << 20)]
  ) {
    assert.is((await at.validate({}, { stdin })).stdout, "ran\n");
  }
});

test("validate refuses an object that cannot be read: it may be a session's hook", async () => {
  const at = await cliPlace(configured("echo ran"));
  for (const stdin of ["{", '{"session_id":"a"']) {
    const { code, stdout, stderr } = await at.validate({}, { stdin });
    assert.equal([code, stdout], [1, ""], stderr);
    assert.match(stderr, "hook");
  }
});

test("validate ends with its command and kills what that left in the background", async () => {
  const at = await cliPlace(configured("true"));
  const mark = join(at.repo.base, "mark");
  const command = [{ name: "leaves", run: `(sleep 30; touch ${mark}) & echo done` }];
  const began = performance.now();
  assert.equal((await at.validate({ command })).stdout, "done\n");
  assert.ok(performance.now() - began < 20_000);
  assert.equal(processesWith(`touch ${mark}`), []);
}, { timeoutMs: 60_000 });
