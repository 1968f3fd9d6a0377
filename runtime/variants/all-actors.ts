import type { ActorRow, ActorStatus, Store } from "../store/store.ts";

const PAGE = 500;

/** Every actor that a store keeps, ordered by id, a page at a time. */
export async function* allActors(
  store: Store,
  query: { readonly prefix?: string; readonly status?: ActorStatus },
): AsyncGenerator<ActorRow> {
  let after: string | undefined;
  for (;;) {
    const page = await store.actors({
      ...query,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}
