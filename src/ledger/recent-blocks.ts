/**
 * Records of the newest blocks of all logs, as they were just written: readers who follow a log take
 * them from here and do not read, unpack and check what was in memory a moment ago. Bounded in
 * bytes; the oldest goes.
 */
export class RecentBlocks {
  readonly #maxBytes: number;
  /** By log and index of the first entry, oldest first. */
  readonly #records = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The record of the block that begins at the index. */
  get(log: number, firstIndex: number): Uint8Array | undefined {
    return this.#records.get(nameOf(log, firstIndex));
  }

  add(log: number, firstIndex: number, record: Uint8Array): void {
    const name = nameOf(log, firstIndex);
    if (this.#records.has(name)) return;
    this.#records.set(name, record);
    this.#bytes += record.length;
    for (const [oldest, bytes] of this.#records) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#records.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  /** Forgets one block: its bodies were dropped. */
  forget(log: number, firstIndex: number): void {
    const name = nameOf(log, firstIndex);
    this.#bytes -= this.#records.get(name)?.length ?? 0;
    this.#records.delete(name);
  }

  /** Forgets a log whose blocks are taken out of the store. */
  drop(log: number): void {
    for (const [name, bytes] of this.#records) {
      if (!name.startsWith(`${log}/`)) continue;
      this.#records.delete(name);
      this.#bytes -= bytes.length;
    }
  }
}

function nameOf(log: number, firstIndex: number): string {
  return `${log}/${firstIndex}`;
}
