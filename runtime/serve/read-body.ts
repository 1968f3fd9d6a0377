import type { IncomingMessage } from "node:http";
import * as v from "valibot";
import { HttpProblem } from "./http-problem.ts";

/**
 * Reads a JSON body of at most `maxBytes`. How long it may take is the server's `requestTimeout`.
 *
 * @throws HttpProblem 400, 413, 415
 */
export async function readBody<S extends v.GenericSchema>(
  request: IncomingMessage,
  schema: S,
  maxBytes: number,
): Promise<v.InferOutput<S>> {
  const type = request.headers["content-type"] ?? "application/json";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new HttpProblem(415, "The body has to be application/json.");
  }
  const bytes = await collect(request, maxBytes);
  let data: unknown;
  try {
    data = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Bytes that are no UTF-8, or text that is no JSON: nothing else throws here.
    throw new HttpProblem(400, "The body is no JSON.");
  }
  const parsed = v.safeParse(schema, data);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const where = v.getDotPath(issue) ?? "the body";
  throw new HttpProblem(400, `${where}: ${issue.message}`);
}

/** Not by `for await`: leaving that loop destroys the socket that the answer has to go through. */
function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (status: number, title: string) => {
      reject(new HttpProblem(status, title, { connection: "close" }));
    };
    const tooLarge = `The body is longer than ${maxBytes} bytes.`;
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) return refuse(413, tooLarge);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        chunks.length = 0;
        refuse(413, tooLarge);
      }
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    const cut = () => refuse(400, "The body did not come to its end.");
    request.once("error", cut);
    request.once("close", cut);
  });
}
