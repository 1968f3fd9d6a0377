import * as assert from "uvu/assert";
import fc from "fast-check";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { readJson } from "../../runtime/variants/read-json.ts";
import { readVariants } from "../../runtime/variants/read.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("readVariants");

async function file(content: string | Uint8Array, name = "variants.json"): Promise<string> {
  const path = join(await tempDir(), name);
  writeFileSync(path, content);
  return path;
}

async function folder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const dir = await tempDir();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

interface Refusal {
  readonly message: string;
  readonly source: string;
  readonly entry?: string;
  readonly field?: string;
}

/** The error, the source's path written as `<source>`. */
async function refusal(source: string): Promise<Refusal> {
  try {
    await readVariants(source);
  } catch (error) {
    if (!isSidecanaryError(error, "input-invalid")) throw error;
    assert.is(error.details.source, source);
    return {
      ...error.details,
      source: "<source>",
      message: error.message.replaceAll(source, "<source>"),
    };
  }
  throw new Error("it was read");
}

const entry = { id: "a", description: "first", patch: "--- a\n" };

test("readVariants() takes chunk's array as it is and ignores unknown fields", async () => {
  const path = await file(JSON.stringify([entry, { ...entry, id: "b", file: "x.js", weight: 3 }]));
  assert.equal(await readVariants(path), [entry, { ...entry, id: "b" }]);
});

test("readVariants() keeps the optional fields, and needs no description", async () => {
  const full = { ...entry, category: "bounds", timeout: 0.5, tags: ["x", "y"] };
  assert.equal(await readVariants(await file(JSON.stringify([full]))), [full]);
  const bare = await readVariants(await file(JSON.stringify([{ id: "a", patch: "" }])));
  assert.equal(bare, [{ id: "a", description: "", patch: "" }]);
});

test("readVariants() takes no variants: [], nothing, blanks", async () => {
  for (const text of ["[]", "", " \n"]) assert.equal(await readVariants(await file(text)), []);
  assert.equal(await readVariants(await folder({ "readme.md": "x" })), []);
});

test("readVariants() takes JSON Lines by extension and by content", async () => {
  const lines = `${JSON.stringify(entry)}\r\n\n${JSON.stringify({ ...entry, id: "b" })}\n`;
  const expected = [entry, { ...entry, id: "b" }];
  assert.equal(await readVariants(await file(lines, "v.jsonl")), expected);
  assert.equal(await readVariants(await file(lines)), expected);
  assert.equal(await readVariants(await file(JSON.stringify(entry))), [entry]);
});

test("readVariants() tolerates a byte order mark", async () => {
  assert.equal(await readVariants(await file(`\ufeff${JSON.stringify([entry])}`)), [entry]);
});

test("readVariants() reads standard input for -, split anywhere", async () => {
  const bytes = new TextEncoder().encode(JSON.stringify([{ ...entry, description: "é🦜" }]));
  const stdin = Readable.from([...bytes].map((byte) => new Uint8Array([byte])));
  assert.equal(await readVariants("-", { stdin }), [{ ...entry, description: "é🦜" }]);
});

test("readVariants() reads a folder of patches, nested ones too, by id", async () => {
  const source = await folder({
    "b.patch": "B",
    "a.diff": "A",
    "deep/er/c.PATCH": "C",
    "notes.txt": "no",
    "a.b.patch": "AB",
  });
  assert.equal(await readVariants(source), [
    { id: "a.b", description: "", patch: "AB" },
    { id: "a", description: "", patch: "A" },
    { id: "b", description: "", patch: "B" },
    { id: "deep/er/c", description: "", patch: "C" },
  ]);
});

test("readVariants() keeps every byte of a patch file that is not UTF-8", async () => {
  const [variant] = await readVariants(
    await folder({ "x.patch": new Uint8Array([0x2b, 0xe9, 10]) }),
  );
  assert.equal(variant, { id: "x", description: "", patch: "+\xe9\n", patchEncoding: "latin1" });
});

test("readVariants() reads a single patch file", async () => {
  const path = await file("P", "one.patch");
  assert.equal(await readVariants(path), [{ id: "one", description: "", patch: "P" }]);
});

test("readVariants() takes a large file", async () => {
  const patch = "+x\n".repeat(1000);
  const many = Array.from({ length: 5000 }, (_, at) => ({ id: `v${at}`, description: "", patch }));
  assert.is((await readVariants(await file(JSON.stringify(many)))).length, 5000);
});

test("readVariants() names the entry and the field of what is wrong", async () => {
  const cases: [unknown, string, string, string | undefined][] = [
    [{ ...entry, id: "" }, "id must not be empty", "entry 1", "id"],
    [{ ...entry, id: "  " }, "id must not be empty", "entry 1", "id"],
    [{ description: "", patch: "" }, "id is missing", "entry 1", "id"],
    [{ ...entry, id: 7 }, "id must be a string", "entry 1", "id"],
    [{ ...entry, id: "a\nb" }, "id must not hold control characters", "entry 1", "id"],
    [{ ...entry, id: "\u2028" }, "id must not be empty", "entry 1", "id"],
    [{ ...entry, id: "x".repeat(257) }, "id must not be longer than 256", "entry 1", "id"],
    [{ id: "b", description: "" }, "patch is missing", 'entry 1 ("b")', "patch"],
    [{ ...entry, id: "b", patch: null }, "patch must be a string", 'entry 1 ("b")', "patch"],
    [{ ...entry, id: "b", timeout: 0 }, "timeout must be more than 0", 'entry 1 ("b")', "timeout"],
    [{ ...entry, id: "b", timeout: "9" }, "timeout must be a number", 'entry 1 ("b")', "timeout"],
    [{ ...entry, id: "b", tags: ["a", 1] }, "tags.1 must be a string", 'entry 1 ("b")', "tags.1"],
    [{ ...entry, id: "b", tags: "a" }, "tags must be an array", 'entry 1 ("b")', "tags"],
    [null, "must be an object", "entry 1", undefined],
    ["diff", "must be an object", "entry 1", undefined],
    [[entry], "must be an object", "entry 1", undefined],
  ];
  for (const [wrong, words, name, field] of cases) {
    const told = await refusal(await file(JSON.stringify([{ ...entry, id: "first" }, wrong])));
    assert.ok(told.message.startsWith(`Cannot use <source>: ${name}: ${words}`), told.message);
    assert.equal([told.entry, told.field], [name, field]);
  }
});

test("readVariants() refuses half a surrogate pair in an id", async () => {
  const told = await refusal(await file('[{"id":"x\\ud800","patch":""}]'));
  assert.match(told.message, /id must not hold half a surrogate pair/);
});

test("readVariants() refuses an id that was there before", async () => {
  assert.equal(await refusal(await file(JSON.stringify([entry, { ...entry, patch: "" }]))), {
    message: 'Cannot use <source>: entry 1: has the id "a" that entry 0 has already. ' +
      "Ids must be unique",
    source: "<source>",
    entry: "entry 1",
    field: "id",
  });
  const twice = await folder({ "a.patch": "1", "a.diff": "2" });
  assert.match((await refusal(twice)).message, /a\.patch: has the id "a" that a\.diff has already/);
});

test("readVariants() tells where the text stops being JSON", async () => {
  const cases: [string, string, string?][] = [
    ['[\n  {"id": "a",}\n]', 'unexpected "}" at line 2, column 14'],
    ["[1, 2", "it ends too early at line 1, column 6"],
    ["[1] x", 'unexpected "x" at line 1, column 5'],
    ['{"id": 1}\n{"id" 2}', 'unexpected "2" at line 2, column 7'],
    ['{"id": 1}\n{"id"', "it ends too early at line 2, column 6", "v.jsonl"],
    ["diff --git a/x b/x", 'unexpected "d" at line 1, column 1'],
  ];
  for (const [text, words, name] of cases) {
    const told = await refusal(await file(text, name));
    assert.is(told.message, `Cannot read <source> as JSON: ${words}`);
  }
});

test("readVariants() refuses what is not an array, not there, or not UTF-8", async () => {
  const wrong = [
    ["null", "null"],
    ["{\n}", "an object"],
    [`{"variants":[]}`, "an object"],
    ["3", "number"],
  ] as const;
  for (const [text, what] of wrong) {
    const told = await refusal(await file(text));
    assert.is(
      told.message,
      `Cannot use <source>: it holds ${what}, where an array of variants is expected`,
    );
  }
  assert.match(
    (await refusal(join(await tempDir(), "none.json"))).message,
    /Cannot read .*ENOENT|No such/,
  );
  assert.match((await refusal(await file(new Uint8Array([0x5b, 0xff])))).message, /not UTF-8/);
});

test("readJson() finds an error in every text that is not JSON, and only there", async () => {
  const piece = fc.constantFrom(...'[]{},:0-1.5e+" \\u00e\n\tabnull', "true", '"a"', "[]", "{}");
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
    fc.tuple(fc.json(), fc.nat(), piece).map(([json, at, extra]) => {
      return json.slice(0, at % (json.length + 1)) + extra + json.slice(at % (json.length + 1));
    }),
  );
  await check(
    fc.property(text, (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      try {
        readJson(text, "it");
        assert.ok(valid);
      } catch (error) {
        assert.ok(!valid && isSidecanaryError(error, "input-invalid"), String(error));
      }
    }),
    { numRuns: 500 },
  );
});
