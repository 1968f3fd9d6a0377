import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  sidecarServe,
  type SidecarServeAnswer,
  type SidecarServeOptions,
} from "../../../runtime/cli/commands/sidecar-serve.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { type ErrorCode, isSidecanaryError } from "../../../runtime/errors.ts";
import type { ServeEvent } from "../../../runtime/serve/serve-event.ts";
import { suite } from "../../harness.ts";
import { until } from "../../kit/processes.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("sidecar-serve");
const TOKEN = "a-token-of-some-length";

interface Serving {
  readonly events: ServeEvent[];
  readonly dir: string;
  readonly answer: Promise<SidecarServeAnswer>;
  stop(): void;
}

async function serve(
  options: SidecarServeOptions,
  env: Record<string, string> = { SIDECANARY_SERVE_TOKEN: TOKEN },
  dir?: string,
): Promise<Serving> {
  const home = dir ?? await tempDir();
  const events: ServeEvent[] = [];
  const stop = new AbortController();
  const answer = sidecarServe({ listen: "127.0.0.1:0", sharedUserUnsafe: true, ...options }, {
    io: { env, cwd: home },
    stateHome: home,
    clock: systemClock,
    signal: stop.signal,
    onEvent: (event) => events.push(event),
  });
  answer.catch(() => {});
  return { events, dir: home, answer, stop: () => stop.abort() };
}

test("sidecarServe() serves with the token of the environment until it is stopped", async () => {
  const serving = await serve({});
  await until("it serves", () => serving.events.some(({ kind }) => kind === "listening"));
  const event = serving.events.find((each) => each.kind === "listening");
  const url = event?.kind === "listening" ? event.url : "";
  const path = `${url}/api/v3/sidecar/instances`;
  const made = await fetch(path, {
    method: "POST",
    headers: { "circle-token": TOKEN, "content-type": "application/json" },
    body: JSON.stringify({ data: { attributes: { name: "a" } } }),
  });
  const { data } = await made.json() as { data: { references: { user: { id: string } } } };
  assert.equal([made.status, data.references.user.id], [201, "owner-1"]);
  serving.stop();
  const answer = await serving.answer;
  assert.equal([answer.url, answer.stopped.map(({ name }) => name)], [url, ["a"]]);
  assert.ok(existsSync(join(serving.dir, "serve", "host-key")));
});

test("sidecarServe() takes tokens of a file that nobody else may read", async () => {
  const dir = await tempDir();
  const file = join(dir, "tokens");
  writeFileSync(file, `alice ${TOKEN}\n`, { mode: 0o600 });
  const serving = await serve({ tokenFile: "tokens" }, {}, dir);
  await until("it serves", () => serving.events.some(({ kind }) => kind === "listening"));
  serving.stop();
  await serving.answer;
  chmodSync(file, 0o644);
  await refused(await serve({ tokenFile: "tokens" }, {}, dir), "config-invalid", "chmod 600");
});

const REFUSED:
  readonly (readonly [SidecarServeOptions, Record<string, string>, ErrorCode, string])[] = [
    [{}, {}, "config-invalid", "SIDECANARY_SERVE_TOKEN"],
    [{ tokenFile: "missing" }, {}, "config-invalid", "ENOENT"],
    [{ listen: "nowhere" }, {}, "usage", "nowhere"],
    [{ listen: "0.0.0.0:0" }, { SIDECANARY_SERVE_TOKEN: TOKEN }, "usage", "--insecure-http"],
    [{ tlsCert: "a" }, {}, "usage", "--tls-key"],
    [{ publicUrl: "ftp://a" }, { SIDECANARY_SERVE_TOKEN: TOKEN }, "usage", "--public-url"],
    [
      { expose: ["nowhere"], sharedUserUnsafe: false },
      { SIDECANARY_SERVE_TOKEN: TOKEN },
      "usage",
      "--expose",
    ],
    [{ limits: { idleMs: -1 } }, { SIDECANARY_SERVE_TOKEN: TOKEN }, "usage", "idleMs"],
  ];
for (const [options, env, code, words] of REFUSED) {
  test(`sidecarServe() refuses ${JSON.stringify(options)} with ${code}: ${words}`, async () => {
    await refused(await serve(options, env), code, words);
  });
}

async function refused({ answer }: Serving, code: ErrorCode, words: string): Promise<void> {
  try {
    await answer;
  } catch (error) {
    assert.ok(isSidecanaryError(error, code), String(error));
    assert.match(error.message, words);
    assert.not.match(error.message, TOKEN);
    return;
  }
  assert.unreachable();
}
