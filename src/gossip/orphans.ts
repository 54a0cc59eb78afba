/**
 * Blocks that are sound but lie ahead of our head: kept until the gap before them is fetched. Per
 * log the ones nearest to the head are kept (they are needed first), in all the bytes are bounded;
 * what is dropped is fetched by sync.
 */
import type { GossipLimits } from './gossip-limits.ts';
import type { LogId, LogIndex } from '../types.ts';

interface Orphan {
  readonly firstIndex: LogIndex;
  readonly wire: Uint8Array;
}

export class Orphans {
  readonly #limits: GossipLimits;
  readonly #logs = new Map<LogId, Orphan[]>();
  #bytes = 0;
  #dropped = 0;

  constructor(limits: GossipLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get dropped(): number {
    return this.#dropped;
  }
  count(logId: LogId): number {
    return this.#logs.get(logId)?.length ?? 0;
  }

  /** Keeps a block; false where it was dropped or is there already. */
  add(logId: LogId, firstIndex: LogIndex, wire: Uint8Array): boolean {
    const queue = this.#logs.get(logId) ?? [];
    const at = queue.findIndex((orphan) => orphan.firstIndex >= firstIndex);
    if (at >= 0 && queue[at]?.firstIndex === firstIndex) return false;
    if (this.#bytes + wire.length > this.#limits.maxOrphanBytes) {
      this.#dropped += 1;
      return false;
    }
    queue.splice(at < 0 ? queue.length : at, 0, { firstIndex, wire });
    this.#logs.set(logId, queue);
    this.#bytes += wire.length;
    if (queue.length <= this.#limits.maxOrphanBlocksPerLog) return true;
    const farthest = queue.pop();
    this.#bytes -= farthest?.wire.length ?? 0;
    this.#dropped += 1;
    return farthest?.firstIndex !== firstIndex;
  }

  /** The block that begins at `size`, taken out; older ones are dropped on the way. */
  take(logId: LogId, size: number): Uint8Array | undefined {
    const queue = this.#logs.get(logId);
    if (queue === undefined) return undefined;
    let found: Uint8Array | undefined;
    while (queue[0] !== undefined && queue[0].firstIndex <= size) {
      const orphan = queue.shift();
      if (orphan === undefined) break;
      this.#bytes -= orphan.wire.length;
      if (orphan.firstIndex === size) found = orphan.wire;
    }
    if (queue.length === 0) this.#logs.delete(logId);
    return found;
  }

  clear(logId: LogId): void {
    for (const orphan of this.#logs.get(logId) ?? []) this.#bytes -= orphan.wire.length;
    this.#logs.delete(logId);
  }
}
