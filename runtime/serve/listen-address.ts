import { SidecanaryError } from "../errors.ts";

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
}

/**
 * Reads `127.0.0.1:8722`, `[::1]:8722`, `:8722` (loopback) or `8722`.
 *
 * @throws SidecanaryError `usage`
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || !(port <= 65_535)) {
    throw new SidecanaryError(
      "usage",
      `"${text}" is no address to listen at; write host:port, [::1]:port or a port.`,
      { option: "--listen" },
    );
  }
  return { host: match[1] ?? (match[2] || "127.0.0.1"), port };
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The address as it is written in a URL. */
export function formatHostPort({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
