import { hostFailed } from "../host-failed.ts";
import type { ContainerApi } from "./container-api.ts";
import { field } from "./container-exec.ts";

/** How far the download of an image has come. */
export interface PullProgress {
  readonly image: string;
  /** In the words of the service: "Downloading", "Pull complete". */
  readonly status: string;
  /** The part of the image that this is about. */
  readonly layer?: string;
  readonly receivedBytes?: number;
  readonly totalBytes?: number;
}

/**
 * Whether the service has an image.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function hasImage(
  api: ContainerApi,
  image: string,
  signal: AbortSignal,
): Promise<boolean> {
  const during = `looking for image ${image}`;
  const path = `/images/${encodeURIComponent(image)}/json`;
  const answer = await api.call({ method: "GET", path, during, signal });
  if (answer.status === 404) return false;
  if (answer.status !== 200) throw api.unexpected(during, answer);
  return true;
}

/**
 * Has the service download an image, without credentials.
 *
 * @throws SidecanaryError `host-failed` with the fault `not-found` where that fails, whatever the
 *   reason: services give it as text only
 * @throws the signal's reason when aborted
 */
export async function pullImage(
  api: ContainerApi,
  image: string,
  onProgress: (progress: PullProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  let refusal: string | undefined;
  const answer = await api.lines({
    method: "POST",
    path: "/images/create",
    query: { fromImage: withTag(image) },
    during: `pulling image ${image}`,
    signal,
    timeoutMs: null,
  }, (line) => {
    const error = field(line, "error");
    if (typeof error === "string") refusal = error;
    else onProgress(progressOf(image, line));
  });
  const said = field(answer.body, "message");
  if (answer.status !== 200) refusal = typeof said === "string" ? said : `status ${answer.status}`;
  if (refusal === undefined) return;
  throw hostFailed(
    `There is no image ${image} at ${api.service}, and it could not be pulled (${refusal}). ` +
      `Get it there: docker pull ${image} (or podman pull ${image})`,
    { host: api.service, fault: "not-found", kind: "never", detail: answer.status },
  );
}

/** Without a tag, a service pulls all of them. */
function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  return last.includes(":") || last.includes("@") ? image : `${image}:latest`;
}

function progressOf(image: string, line: unknown): PullProgress {
  const status = field(line, "status");
  const layer = field(line, "id");
  const received = field(field(line, "progressDetail"), "current");
  const total = field(field(line, "progressDetail"), "total");
  return {
    image,
    status: typeof status === "string" ? status : "",
    ...(typeof layer === "string" ? { layer } : {}),
    ...(typeof received === "number" ? { receivedBytes: received } : {}),
    ...(typeof total === "number" ? { totalBytes: total } : {}),
  };
}
