import * as assert from "uvu/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "./harness.ts";
import { root } from "./kit/root.ts";

const test = suite("conformance");

const read = (path: string): string => readFileSync(join(root(), path), "utf8");

/** A row of a table: the case, and the spec file with its test, or why there is none. */
interface Row {
  readonly name: string;
  readonly where: string;
}

const rows = (): readonly Row[] =>
  read("docs/conformance.md").split("\n").flatMap((line) => {
    const [, name, where] = /^\| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [];
    if (name === undefined || where === undefined || name.startsWith("---")) return [];
    return name.trim() === "case" ? [] : [{ name: name.trim(), where: where.trim() }];
  });

/** Whether one line of code holds a text with every word of these. */
function stands(words: string, text: string): boolean {
  const each = words.split(" ").map((word) =>
    new RegExp(`(?<!\\w)${word.replace(/[^\w]/g, "\\$&")}(?!\\w)`)
  );
  return text.split("\n").some((line) =>
    /["`]/.test(line) && !/^\s*(?:\/\/|\*|\/\*)/.test(line) &&
    each.every((word) => word.test(line))
  );
}

test("docs/conformance.md: each case that is covered stands in the spec file that is named", () => {
  const all = rows();
  assert.ok(all.length > 100, `${all.length} rows`);
  const missing = all.flatMap(({ name, where }) => {
    const [, path, title] = /^`(spec\/[^`]+)`(?:, "(.+)")?$/.exec(where) ?? [];
    if (path === undefined) return where.startsWith("no: ") ? [] : [`${name}: ${where}`];
    const text = read(path);
    const there = title === undefined ? stands(name, text) : text.includes(`"${title}"`);
    return there ? [] : [`${name}: not in ${path}`];
  });
  assert.equal(missing, []);
});

test("docs/conformance.md: no case is told twice", () => {
  const names = rows().map(({ name }) => name);
  assert.equal(names.filter((name, at) => names.indexOf(name) !== at), []);
});
