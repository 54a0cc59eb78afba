/**
 * Sealed events of an audit bundle and the keys that come with them (bundle-lines.ts `keys`): each key
 * opens just its event, and what it opens is held against the commitments in the signed leaf and
 * judged as a replica judges a public event.
 */
import type { Opener } from '../cipher.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Attributes, EventBytes, LogId } from '../types.ts';
import { bodyBytes, type DecodedBlock } from './block.ts';
import type { EntryLine, KeysLine } from './bundle-lines.ts';
import { bytesOf } from './bundle-values.ts';
import type { BlockEnv } from './judges.ts';
import { openBodyWith, prepareBody } from './sealed-body.ts';

/** What a key opened; nothing where there was no opener. */
export interface OpenedEvent {
  readonly event?: EventBytes;
  readonly context?: Attributes;
}

/** A sealed event as it is signed and stored. */
export interface SealedPart {
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** Keys that wait for the block or entry behind them. */
export class BundleOpening {
  /** Keys so far, and those that nobody here could use. */
  keys = 0;
  unused = 0;
  readonly #env: BlockEnv;
  readonly #logId: LogId;
  #waiting: ReadonlyMap<number, Uint8Array> = new Map();

  constructor(env: BlockEnv, logId: LogId) {
    this.#env = env;
    this.#logId = logId;
  }

  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  line({ keys }: KeysLine): Fault | undefined {
    const waiting = new Map<number, Uint8Array>();
    let last = -1;
    for (const { index, key } of keys) {
      const bytes = bytesOf(key);
      if (!bytes.ok) return bytes.error;
      if (bytes.value.length !== 32) return fault('bundle-line', 'a key is 32 bytes', { index });
      if (index <= last) return fault('bundle-order', 'keys are not in ascending order', { index });
      waiting.set(index, bytes.value);
      last = index;
    }
    this.keys += waiting.size;
    this.#waiting = waiting;
    return undefined;
  }

  /**
   * Opens all that waits with what `find` gives. Codes: bundle-unasked (a key of nothing that is here
   * and sealed), those of `openBodyWith` and of the event judge.
   */
  open(find: (index: number) => SealedPart | undefined): Result<ReadonlyMap<number, OpenedEvent>> {
    const opened = new Map<number, OpenedEvent>();
    for (const [index, key] of this.#waiting) {
      const part = find(index);
      if (part === undefined) {
        return err(fault('bundle-unasked', 'a key of no sealed event behind it', { index }));
      }
      const event = this.#openOne(index, key, part);
      if (!event.ok) return err(at(event.error, { index }));
      opened.set(index, event.value);
    }
    this.#waiting = new Map();
    return ok(opened);
  }

  #openOne(index: number, key: Uint8Array, { leaf, body }: SealedPart): Result<OpenedEvent> {
    const { crypto, judges, opener } = this.#env;
    if (opener === undefined) {
      this.unused += 1;
      return ok({});
    }
    const place = { log: logIdHash(this.#logId), index, leaf };
    const plain = openBodyWith(opener, crypto, place, key, body);
    if (!plain.ok) return plain;
    const { event } = plain.value;
    const context = judges.event(event);
    return context.ok ? ok({ event, context: context.value }) : context;
  }

  /** For an opener that works ahead. */
  async prepare(opener: Opener, find: (index: number) => SealedPart | undefined): Promise<void> {
    for (const [index, key] of this.#waiting) {
      const part = find(index);
      if (part !== undefined) await prepareBody(opener, part.leaf, key, part.body);
    }
  }
}

/** A sealed event of a block whose ciphertext is there. */
export function sealedIn(block: DecodedBlock): (index: number) => SealedPart | undefined {
  return (index) => {
    const entry = block.entries[index - block.firstIndex];
    const body = entry?.kind === 1 ? bodyBytes(block, entry) : undefined;
    if (entry === undefined || body === undefined) return undefined;
    const end = entry.leafOffset + entry.leafLength;
    return { leaf: block.wire.subarray(entry.leafOffset, end), body };
  };
}

/** The same of an entry that stands alone. */
export function sealedAlone(line: EntryLine): (index: number) => SealedPart | undefined {
  return (index) => {
    const leaf = bytesOf(line.leaf);
    const body = line.body === null ? undefined : bytesOf(line.body);
    if (index !== line.index || !leaf.ok || leaf.value[0] !== 1 || body?.ok !== true) {
      return undefined;
    }
    return { leaf: leaf.value, body: body.value };
  };
}
