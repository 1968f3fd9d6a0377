import * as assert from "uvu/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { schemas } from "../../scripts/write-schemas.ts";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";

const test = suite("schemas");

test("schemas() are what stands in schemas/", () => {
  for (const [name, content] of Object.entries(schemas())) {
    assert.is(readFileSync(join(root(), "schemas", name), "utf8"), content, name);
  }
});
