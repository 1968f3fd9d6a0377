import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hostFailed } from "../host-failed.ts";
import { dockerContext } from "./docker-context.ts";

/** Where a container service listens. */
export interface ContainerEndpoint {
  /** For messages: `unix:///run/podman/podman.sock`, `tcp://build1:2376`. */
  readonly name: string;
  readonly at:
    | { readonly socketPath: string }
    | { readonly host: string; readonly port: number; readonly tls?: TlsFiles };
}

/** The contents of the PEM files that TLS to a Docker daemon takes. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where to look for a service, in this order: `address`, `$DOCKER_HOST`, the chosen context of
 * Docker's command line, or else the sockets where Docker, rootless Docker, Docker Desktop and
 * Podman listen.
 *
 * @param address as `DOCKER_HOST` is written, or the path of a socket
 * @throws SidecanaryError `host-failed` with the fault `config` for an address that cannot be used,
 *   or TLS files that cannot be read
 */
export async function containerEndpoints(
  address: string | undefined,
  env: Environment,
): Promise<readonly ContainerEndpoint[]> {
  const named = address ?? (env["DOCKER_HOST"] || await dockerContext(env));
  if (named !== undefined) return [await namedEndpoint(named, env)];
  const { XDG_RUNTIME_DIR: runtime, HOME: home } = env;
  return [
    "/var/run/docker.sock",
    ...(runtime ? [join(runtime, "docker.sock")] : []),
    ...(home ? [join(home, ".docker/run/docker.sock")] : []),
    ...(runtime ? [join(runtime, "podman/podman.sock")] : []),
    "/run/podman/podman.sock",
  ].map(unixEndpoint);
}

function unixEndpoint(socketPath: string): ContainerEndpoint {
  return { name: `unix://${socketPath}`, at: { socketPath } };
}

async function namedEndpoint(text: string, env: Environment): Promise<ContainerEndpoint> {
  if (text.startsWith("/")) return unixEndpoint(text);
  const [, scheme, rest = ""] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case "unix":
      if (rest.startsWith("/")) return unixEndpoint(rest);
      throw refused(text, "the path of a unix socket is absolute: unix:///run/docker.sock");
    case "tcp":
    case "http":
    case "https":
      return await networkEndpoint(text, scheme, rest, env);
    case "npipe":
      throw refused(text, "named pipes of Windows are not supported; use a tcp:// address");
    case "ssh":
      // Clients that tunnel the API by themselves do so without a look at the host's key.
      throw refused(
        text,
        "the API is not tunnelled over SSH; forward the socket (ssh -nNT -L " +
          "/tmp/docker.sock:/var/run/docker.sock HOST) and use unix:///tmp/docker.sock",
      );
    default:
      throw refused(text, "it is written unix:///PATH or tcp://HOST:PORT");
  }
}

async function networkEndpoint(
  text: string,
  scheme: string,
  rest: string,
  env: Environment,
): Promise<ContainerEndpoint> {
  const url = URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") {
    throw refused(text.replace(/\/\/.*@/, "//…@"), "it is written tcp://HOST:PORT");
  }
  const secure = scheme === "https" || Boolean(env["DOCKER_TLS_VERIFY"]);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const explicit = /:80$/.test(rest.split("/")[0] ?? "") ? 80 : Number(url.port);
  const port = explicit || (secure ? 2376 : 2375);
  const name = `tcp://${url.hostname}:${port}`;
  if (!secure) return { name, at: { host, port } };
  const dir = env["DOCKER_CERT_PATH"] || join(env["HOME"] ?? "/", ".docker");
  return { name, at: { host, port, tls: await tlsFiles(text, dir) } };
}

async function tlsFiles(text: string, dir: string): Promise<TlsFiles> {
  try {
    const [ca, cert, key] = await Promise.all(
      ["ca.pem", "cert.pem", "key.pem"].map((file) => readFile(join(dir, file), "utf8")),
    );
    return { ca: ca ?? "", cert: cert ?? "", key: key ?? "" };
  } catch (error) {
    throw refused(
      text,
      `TLS needs ca.pem, cert.pem and key.pem in ${dir}; set DOCKER_CERT_PATH to their folder`,
      error,
    );
  }
}

function refused(text: string, why: string, cause?: unknown) {
  return hostFailed(
    `The container service "${text}" cannot be used: ${why}`,
    { host: text, fault: "config", kind: "never" },
    cause,
  );
}
