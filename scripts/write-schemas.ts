import { writeFile } from "node:fs/promises";
import { toJsonSchema } from "@valibot/to-json-schema";
import { projectConfigSchema } from "../runtime/cli/config/project-config.ts";
import { reportSchema } from "../runtime/variants/report-schema.ts";
import { variantsSchema } from "../runtime/variants/variant-schema.ts";

/** The published JSON schemas: file name below `schemas/` and content. */
export function schemas(): Record<string, string> {
  // What a reader may write, so of the input: a default is not required.
  const variants = toJsonSchema(variantsSchema, { typeMode: "input", ignoreActions: ["check"] });
  const config = toJsonSchema(projectConfigSchema, { typeMode: "input" });
  const report = toJsonSchema(reportSchema);
  return {
    "report.schema.json": `${JSON.stringify(report, null, 2)}\n`,
    "variants.schema.json": `${JSON.stringify(variants, null, 2)}\n`,
    "sidecanary.schema.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}

/** Writes `schemas/`. */
export async function writeSchemas(): Promise<void> {
  for (const [name, content] of Object.entries(schemas())) {
    await writeFile(new URL(`../schemas/${name}`, import.meta.url), content);
  }
}
