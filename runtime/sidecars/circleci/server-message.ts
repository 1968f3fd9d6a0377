/** What the API says in text only, as codes. */
export type ToldByText = "route-not-found" | "paused" | "sidecar-outdated";

/**
 * The message in an error's body. CircleCI has three shapes of it: `{"error":{"title"}}`,
 * `{"error":"…"}` and `{"message":"…"}`. Control characters are taken out and it is cut at 300
 * characters. `undefined` where the body holds none.
 */
export function serverMessage(body: string): string | undefined {
  const text = read(body);
  if (text === undefined) return undefined;
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
  if (plain === "") return undefined;
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain;
}

/**
 * The one place where text decides, because the API gives nothing else: a path that the API does not
 * have and a sidecar that is gone are both 404, and 409 and 410 have several meanings each.
 */
export function toldByText(status: number, message: string | undefined): ToldByText | undefined {
  const text = message?.toLowerCase() ?? "";
  if (status === 404 && text.includes("route not found")) return "route-not-found";
  if (status === 409 && text.includes("paused")) return "paused";
  if (status === 410 && text.includes("sidecar is out of date")) return "sidecar-outdated";
  return undefined;
}

function read(body: string): string | undefined {
  const value = parse(body);
  if (typeof value !== "object" || value === null) return undefined;
  const { error, message } = value as Readonly<Record<string, unknown>>;
  if (typeof error === "string") return error;
  if (typeof error === "object" && error !== null) {
    const { title } = error as Readonly<Record<string, unknown>>;
    if (typeof title === "string") return title;
  }
  return typeof message === "string" ? message : undefined;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A page of a proxy, or nothing: there is no message of the API in it.
    return undefined;
  }
}
