import { isSameHost, parseHostName } from "../host-name.ts";

/** Whether two names mean the same sidecar: names of ours may differ in when they expire. */
export function isSamePlace(a: string, b: string): boolean {
  const [one, other] = [parseHostName(a), parseHostName(b)];
  return one !== undefined && other !== undefined ? isSameHost(one, other) : a === b;
}
