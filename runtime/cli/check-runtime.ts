const LEAST = [20, 19] as const;

/**
 * What is wrong with the runtime, for people, or `undefined`. Deno has its own numbers.
 *
 * @param versions `process.versions`
 */
export function refuseRuntime(versions: Readonly<Record<string, string | undefined>>) {
  if (versions["deno"] !== undefined || versions["bun"] !== undefined) return undefined;
  const node = versions["node"] ?? "0.0.0";
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return undefined;
  return `sidecanary needs Node ${LEAST.join(".")} or newer, and this is ${node}: ` +
    "install a newer one from https://nodejs.org";
}
