import { type WarmContext, WarmSidecar } from "../../warm/warm-sidecar.ts";
import type { WarmKey } from "../../warm/warm-key.ts";

/** Opens a key's sidecar for some work, and gives it back whatever happens. */
export async function withWarm<Result>(
  context: WarmContext,
  key: WarmKey,
  work: (warm: WarmSidecar) => Promise<Result>,
): Promise<Result> {
  const warm = await WarmSidecar.open(context, key);
  try {
    return await work(warm);
  } finally {
    await warm.close();
  }
}
