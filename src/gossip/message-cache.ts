/**
 * Messages of the last heartbeats, for neighbours that missed one and ask. It stands in for
 * gossipsub's own cache, which has no bound: at 11 MB/s that one held 55 MB, and one answer could
 * be larger than the asker accepts, which ended the pair. Here the bytes are bounded (the oldest
 * message goes), no more is announced than may be asked for, and one neighbour gets at most twice
 * that in a heartbeat.
 */
export interface CachedMessage {
  readonly topic: string;
  readonly data?: Uint8Array;
}

export interface MessageId {
  readonly msgId: Uint8Array;
  readonly msgIdStr: string;
}

interface Entry<M> {
  readonly id: MessageId;
  readonly message: M;
  readonly bytes: number;
  /** Heartbeats since it came. */
  age: number;
  validated: boolean;
  /** Neighbours that sent it while it was being judged: it is not sent back to them. */
  originatingPeers: Set<string>;
  readonly asked: Map<string, number>;
}

export interface CacheLimits {
  readonly maxBytes: number;
  /** Announced to neighbours in one heartbeat. */
  readonly maxAnnouncedBytes: number;
  /** Heartbeats that a message is kept, and announced. */
  readonly keepBeats: number;
  readonly announceBeats: number;
}

/** What an entry costs beside its data. */
const overhead = 512;

/** The names are those that gossipsub calls. */
export class BoundedMessageCache<M extends CachedMessage> {
  readonly #limits: CacheLimits;
  readonly #entries = new Map<string, Entry<M>>();
  readonly #answered = new Map<string, number>();
  #bytes = 0;
  #unvalidated = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** By text id; gossipsub only asks whether one is there. */
  get msgs(): ReadonlyMap<string, unknown> {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get notValidatedCount(): number {
    return this.#unvalidated;
  }

  /** False where it is there already. */
  put(id: MessageId, message: M, validated: boolean = false): boolean {
    if (this.#entries.has(id.msgIdStr)) return false;
    const bytes = (message.data?.length ?? 0) + overhead;
    const originatingPeers = new Set<string>();
    const entry = { id, message, bytes, age: 0, validated, originatingPeers, asked: new Map() };
    this.#entries.set(id.msgIdStr, entry);
    this.#bytes += bytes;
    if (!validated) this.#unvalidated++;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#limits.maxBytes) break;
      this.#delete(oldest);
    }
    return true;
  }

  observeDuplicate(id: string, peer: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && !entry.validated) entry.originatingPeers.add(peer);
  }

  /** The message, and how often this neighbour has asked for it; null where it gets nothing. */
  getWithIWantCount(id: string, peer: string): { msg: M; count: number } | null {
    const entry = this.#entries.get(id);
    if (entry === undefined || !entry.validated) return null;
    const answered = (this.#answered.get(peer) ?? 0) + entry.bytes;
    if (answered > 2 * this.#limits.maxAnnouncedBytes) return null;
    this.#answered.set(peer, answered);
    const count = (entry.asked.get(peer) ?? 0) + 1;
    entry.asked.set(peer, count);
    return { msg: entry.message, count };
  }

  /** Ids to announce by topic, the newest first, as far as their bytes may be asked for. */
  getGossipIDs(topics: ReadonlySet<string>): Map<string, Uint8Array[]> {
    const ids = new Map<string, Uint8Array[]>();
    let bytes = 0;
    for (const entry of [...this.#entries.values()].toReversed()) {
      if (entry.age >= this.#limits.announceBeats) break;
      if (!entry.validated || !topics.has(entry.message.topic)) continue;
      bytes += entry.bytes;
      if (bytes > this.#limits.maxAnnouncedBytes) break;
      const ofTopic = ids.get(entry.message.topic);
      if (ofTopic === undefined) ids.set(entry.message.topic, [entry.id.msgId]);
      else ofTopic.push(entry.id.msgId);
    }
    return ids;
  }

  /** Marks it as judged; null where it has been forgotten meanwhile. */
  validate(id: string): { message: M; originatingPeers: Set<string> } | null {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    if (!entry.validated) this.#unvalidated--;
    entry.validated = true;
    const { message, originatingPeers } = entry;
    entry.originatingPeers = new Set();
    return { message, originatingPeers };
  }

  /** One heartbeat later. */
  shift(): void {
    this.#answered.clear();
    for (const [id, entry] of this.#entries) {
      entry.age++;
      if (entry.age >= this.#limits.keepBeats) this.#delete(id);
    }
  }

  remove(id: string): { message: M; originatingPeers: Set<string> } | null {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    this.#delete(id);
    return entry;
  }

  #delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes;
    if (!entry.validated) this.#unvalidated--;
  }
}
