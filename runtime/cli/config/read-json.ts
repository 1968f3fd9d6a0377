import { readFileSync } from "node:fs";
import { SidecanaryError } from "../../errors.ts";
import { readJson as parse } from "../../variants/read-json.ts";

/**
 * The parsed contents of a JSON file, without a byte order mark.
 *
 * @throws SidecanaryError `config-invalid`
 */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(`Cannot read ${path}`, cause, path);
  }
  try {
    return parse(text.replace(/^\uFEFF/, ""), path);
  } catch (cause) {
    throw invalid("", cause, path);
  }
}

function invalid(what: string, cause: unknown, path: string): SidecanaryError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = what === "" ? why : `${what}: ${why}`;
  return new SidecanaryError("config-invalid", message, { path }, cause);
}
