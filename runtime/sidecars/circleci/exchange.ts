import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Buffer } from "node:buffer";
import { hostFailed } from "../host-failed.ts";
import { socketFault } from "./socket-fault.ts";

/** One HTTP request. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** @default no body */
  readonly body?: string;
  /** What is being done, for messages: "Listing the sidecars". */
  readonly what: string;
}

/** The answer to it, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer that is longer is refused. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Sends a request once and reads the whole answer, whatever its status; redirects are not followed,
 * as the token would travel with them.
 *
 * This is `node:http` and not `fetch`, because Deno's `fetch` tells a refused connection, a name that
 * does not exist and a certificate that is wrong apart by text only. Every request has a connection
 * of its own: a kept one may be closed just as a request is written, and nobody would know whether
 * a creation arrived.
 *
 * @throws SidecanaryError `host-failed` where no whole answer came
 * @throws the signal's reason when aborted
 */
export async function exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  signal.throwIfAborted();
  try {
    const response = await send(request, signal);
    const body = await read(response, request);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (error) {
    signal.throwIfAborted();
    throw socketFault(error, request.what, request.url.host);
  }
}

function send(
  { method, url, headers, body }: HttpRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? requestHttps : requestHttp;
    const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    const sent = open(url, { method, headers: { ...headers, ...length }, signal, agent: false });
    // Errors after the answer has begun are the answer's, and this one is heard all the same.
    sent.on("error", reject);
    sent.on("response", resolve);
    sent.end(body);
  });
}

async function read(response: IncomingMessage, { what, url }: HttpRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) {
      throw hostFailed(`${what} failed: ${url.host} answered with more than ${MAX_BYTES} bytes`, {
        host: url.host,
        fault: "bad-response",
        kind: "never",
        detail: response.statusCode ?? 0,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
