import { compareText } from "../text-order.ts";

interface Item {
  readonly id: string;
  key: number;
  at: number;
}

/** Ids by a number that may change, lowest first: a binary heap that knows where each id is. */
export class IndexedHeap {
  readonly #items: Item[] = [];
  readonly #byId = new Map<string, Item>();

  get size(): number {
    return this.#items.length;
  }

  /** Puts `id` at `key`; `undefined` removes it. */
  set(id: string, key: number | undefined): void {
    const item = this.#byId.get(id);
    if (key === undefined) {
      if (item !== undefined) this.#remove(item);
      return;
    }
    if (item === undefined) {
      const added = { id, key, at: this.#items.length };
      this.#byId.set(id, added);
      this.#items.push(added);
      this.#up(added);
      return;
    }
    if (item.key === key) return;
    item.key = key;
    this.#up(item);
    this.#down(item);
  }

  /** The ids in ascending order of (key, id). The heap must not change meanwhile. */
  *ascending(): Generator<{ readonly id: string; readonly key: number }, void, undefined> {
    const first = this.#items[0];
    if (first === undefined) return;
    // The next lowest is always among the children of what was given already.
    const frontier = [first];
    while (frontier.length > 0) {
      const item = frontier[0]!;
      yield item;
      const left = this.#items[2 * item.at + 1];
      const right = this.#items[2 * item.at + 2];
      const last = frontier.pop()!;
      if (frontier.length > 0) sink(frontier, last);
      if (left !== undefined) float(frontier, left);
      if (right !== undefined) float(frontier, right);
    }
  }

  #remove(item: Item): void {
    this.#byId.delete(item.id);
    const last = this.#items.pop()!;
    if (last === item) return;
    last.at = item.at;
    this.#items[last.at] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(item: Item): void {
    while (item.at > 0) {
      const parent = this.#items[(item.at - 1) >> 1]!;
      if (!before(item, parent)) return;
      this.#swap(item, parent);
    }
  }

  #down(item: Item): void {
    for (;;) {
      const left = this.#items[2 * item.at + 1];
      const right = this.#items[2 * item.at + 2];
      const child = right !== undefined && before(right, left!) ? right : left;
      if (child === undefined || !before(child, item)) return;
      this.#swap(child, item);
    }
  }

  #swap(a: Item, b: Item): void {
    const at = a.at;
    a.at = b.at;
    b.at = at;
    this.#items[a.at] = a;
    this.#items[b.at] = b;
  }
}

function before(a: Item, b: Item): boolean {
  return a.key === b.key ? compareText(a.id, b.id) < 0 : a.key < b.key;
}

function float(heap: Item[], item: Item): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (!before(item, heap[up]!)) break;
    heap[at] = heap[up]!;
    at = up;
  }
  heap[at] = item;
}

function sink(heap: Item[], item: Item): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, item)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = item;
}
