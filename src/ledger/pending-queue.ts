/** What waits for a block of an own log, in order; what fits one block is taken from its front. */
import type { Pending } from './pending.ts';

/** Bytes of a block that are not entries: ids, frontier, seed, seal, checkpoint. */
const blockFrameBytes = 3072;
/** Items taken before the array is cut: to cut it each time would copy it each time. */
const lazyItems = 4096;

export interface BlockRoom {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Bytes that an event adds to the wire block. */
  sizeOf(item: Extract<Pending, { readonly kind: 'event' }>): number;
}

export class PendingQueue {
  #items: Pending[] = [];
  #head = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }
  /** Bytes of the bodies of its events. */
  get bytes(): number {
    return this.#bytes;
  }
  /** What comes first. */
  get first(): Pending | undefined {
    return this.#items[this.#head];
  }

  push(items: readonly Pending[]): void {
    for (const item of items) this.#items.push(item);
    this.#queued(items);
  }

  /** To the front again. */
  putBack(items: readonly Pending[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
    this.#queued(items);
  }

  /** Takes what fits one block: a control item is alone in its own. Those taken back are left out. */
  take(room: BlockRoom): readonly Pending[] {
    const items: Pending[] = [];
    let bytes = blockFrameBytes;
    while (this.length > 0 && items.length < room.maxEvents) {
      const item = this.#items[this.#head];
      if (item === undefined) break;
      if (item.kind === 'control' && items.length > 0) break;
      if (item.kind === 'event') {
        const more = item.dropped ? 0 : room.sizeOf(item);
        if (items.length > 0 && bytes + more > room.maxBytes) break;
        bytes += more;
        this.#bytes -= item.bytes;
        item.queued = false;
      }
      this.#head += 1;
      if (item.kind === 'control' || !item.dropped) items.push(item);
      if (item.kind === 'control') break;
    }
    if (this.#head > lazyItems || this.length === 0) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return items;
  }

  /** Takes all. */
  drain(): readonly Pending[] {
    const left = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    return left.filter((item) => item.kind === 'control' || !item.dropped);
  }

  #queued(items: readonly Pending[]): void {
    for (const item of items) {
      if (item.kind !== 'event') continue;
      this.#bytes += item.bytes;
      item.queued = true;
    }
  }
}
