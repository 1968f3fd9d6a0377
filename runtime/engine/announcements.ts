import type { Announcement, AnnouncementFilter } from "./engine.ts";

interface Subscription {
  readonly filter: AnnouncementFilter;
  readonly handler: (announcement: Announcement) => void | Promise<void>;
}

/** Who wants to hear what machines announce. */
export class Announcements {
  readonly #subscriptions = new Set<Subscription>();

  add(filter: AnnouncementFilter, handler: Subscription["handler"]): () => void {
    const subscription = { filter, handler };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** Calls every handler that matches, one after the other. Rejects with the first failure, after all were called. */
  async announce(announcement: Announcement): Promise<void> {
    const failures: unknown[] = [];
    for (const { filter, handler } of [...this.#subscriptions]) {
      if (!matches(filter, announcement)) continue;
      try {
        await handler(announcement);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

function matches({ machine, actor, type }: AnnouncementFilter, announced: Announcement): boolean {
  return (machine === undefined || machine === announced.machine) &&
    (actor === undefined || actor === announced.actor) &&
    (type === undefined || type === announced.event.type);
}
