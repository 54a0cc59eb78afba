/**
 * A ledger of a few lines for tests of gossip and sync. Its blocks are dag-cbor
 * [1, logId 32, first index, entries, payload]; one whose payload begins with 0xff is invalid, one
 * with 0xfe cannot be judged now.
 */
import { concat } from '../../src/bytes.ts';
import { CborReader, CborWriter } from '../../src/cbor.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import type {
  LedgerPort,
  PortAppended,
  PortBlock,
  PortGenesis,
  PortKeyChain,
  PortLog,
  PortOutcome,
  PortReceipt,
} from '../../src/gossip/ledger-port.ts';
import { didFromKey, logIdFromHash, logIdHash } from '../../src/ids.ts';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { err, ok, type Result } from '../../src/result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  asStreamName,
  asTimeMs,
  asTreeSize,
  type Hash,
  type LogId,
  type LogIndex,
  type ParsedEvent,
} from '../../src/types.ts';

export const fakeWriter: Signer = signerFromSeed(new Uint8Array(32).fill(9));

export interface FakeLogOptions {
  readonly name?: string;
  readonly visibility?: PortGenesis['visibility'];
  readonly signer?: Signer;
}

class FakeLog {
  readonly logId: LogId;
  readonly options: FakeLogOptions;
  role: 'writer' | 'replica';
  state: PortLog['state'] = 'open';
  blocks: PortBlock[] = [];
  resets = 0;
  root: Hash = nodeCrypto.sha256(new Uint8Array(0));

  constructor(logId: LogId, role: 'writer' | 'replica', options: FakeLogOptions) {
    this.logId = logId;
    this.role = role;
    this.options = options;
  }

  get size(): number {
    return this.blocks.at(-1)?.size ?? 0;
  }

  summary(): PortLog {
    const { logId, role, state, options, resets } = this;
    const signer = options.signer ?? fakeWriter;
    const size = asTreeSize(this.size);
    const known = size > 0 || role === 'writer';
    return {
      logId,
      role,
      state,
      resets,
      size,
      root: this.root,
      checkpoint: size === 0 ? '' : signCheckpoint(nodeCrypto, signer, logId, size, this.root),
      time: asTimeMs(0),
      writerKey: size === 0 ? undefined : signer.publicKey,
      genesis: known
        ? {
            owner: didFromKey(signer.publicKey),
            name: asStreamName(options.name ?? 'orders'),
            visibility: options.visibility ?? 'public',
          }
        : undefined,
    };
  }
}

export function fakeLogId(n: number): LogId {
  return logIdFromHash(asHash(nodeCrypto.sha256(Uint8Array.of(n))));
}

export function fakeBlock(
  logId: LogId,
  first: number,
  entries: number,
  payload: Uint8Array,
): Uint8Array {
  const writer = new CborWriter().list(5).uint(1).bytes(logIdHash(logId)).uint(first);
  return writer.uint(entries).bytes(payload).finish();
}

export class FakeLedger implements LedgerPort {
  readonly #logs = new Map<LogId, FakeLog>();
  readonly #listeners = new Set<(block: PortAppended) => void>();
  readonly published: ParsedEvent[] = [];
  applied = 0;
  /** Changes what is served, to play a peer that lies. */
  forge: ((block: PortBlock) => PortBlock) | undefined;
  /** Added to the size in heads, to play a peer that boasts. */
  boast = 0;

  create(logId: LogId, options: FakeLogOptions = {}): void {
    this.#logs.set(logId, new FakeLog(logId, 'writer', options));
  }
  follow(logId: LogId, options: FakeLogOptions = {}): void {
    this.#logs.set(logId, new FakeLog(logId, 'replica', options));
  }
  unfollow(logId: LogId): void {
    this.#logs.delete(logId);
  }
  setState(logId: LogId, state: PortLog['state']): void {
    const log = this.#logs.get(logId);
    if (log !== undefined) log.state = state;
  }
  /** Sets aside what is behind `size`. */
  shorten(logId: LogId, size: number): void {
    const log = this.#logs.get(logId);
    if (log === undefined) return;
    const { blocks } = log;
    log.resets += 1;
    log.root = nodeCrypto.sha256(new Uint8Array(0));
    log.blocks = blocks.filter((block) => block.size <= size);
    for (const { wire } of log.blocks) log.root = nodeCrypto.sha256(concat(log.root, wire));
  }
  size(logId: LogId): number {
    return this.#logs.get(logId)?.size ?? -1;
  }
  root(logId: LogId): Hash | undefined {
    return this.#logs.get(logId)?.root;
  }

  /** Signs a block of so many entries. */
  append(logId: LogId, entries: number, payload: Uint8Array = Uint8Array.of(1)): Uint8Array {
    const log = this.#logs.get(logId);
    if (log === undefined) throw new Error('no such log');
    const wire = fakeBlock(logId, log.size, entries, payload);
    this.#add(log, wire, entries, true);
    return wire;
  }

  logs(): readonly PortLog[] {
    return [...this.#logs.keys()]
      .map((logId) => this.log(logId))
      .filter((log) => log !== undefined);
  }

  log(logId: LogId): PortLog | undefined {
    const log = this.#logs.get(logId);
    const summary = log?.summary();
    if (log === undefined || summary === undefined || this.boast === 0) return summary;
    const size = asTreeSize(summary.size + this.boast);
    const signer = log.options.signer ?? fakeWriter;
    return {
      ...summary,
      size,
      checkpoint: signCheckpoint(nodeCrypto, signer, logId, size, log.root),
    };
  }

  apply(wire: Uint8Array): Promise<PortOutcome> {
    return Promise.resolve(this.#apply(wire));
  }

  async *blocks(
    logId: LogId,
    from: LogIndex,
    options: { maxBytes?: number; signal?: AbortSignal },
  ): AsyncIterable<PortBlock> {
    let bytes = 0;
    for (const block of this.#logs.get(logId)?.blocks ?? []) {
      if (block.size <= from) continue;
      if (options.signal?.aborted === true) return;
      await Promise.resolve();
      yield this.forge === undefined ? block : this.forge(block);
      bytes += block.wire.length;
      if (bytes >= (options.maxBytes ?? Infinity)) return;
    }
  }

  keyChain(
    logId: LogId,
    options: { readonly from?: LogIndex; readonly maxBytes?: number } = {},
  ): Promise<Result<PortKeyChain>> {
    const log = this.log(logId);
    if (log === undefined) return Promise.resolve(err(fault('log-unknown', 'no such log')));
    const from = options.from ?? 0;
    const leaf = new Uint8Array(100).fill(from);
    const entries = [{ index: asLogIndex(from), leaf, path: [log.root] }];
    const { size, checkpoint } = log;
    const page = { size, checkpoint, entries };
    return Promise.resolve(ok(from < 2 ? { ...page, next: asLogIndex(from + 1) } : page));
  }

  publish(
    logId: LogId,
    events: readonly ParsedEvent[],
  ): Promise<Result<readonly Result<PortReceipt>[]>> {
    this.published.push(...events);
    const block = asBlockNumber(0);
    const leafHash = nodeCrypto.sha256(Uint8Array.of(2));
    const size = asTreeSize(this.published.length);
    return Promise.resolve(
      ok(
        events.map((event, i) => {
          if (event.data[0] === 0xff) return err(fault('log-unknown', 'planned'));
          const index = asLogIndex(i);
          return ok({ log: logId, index, leafHash, block, size, root: leafHash, ack: 'local' });
        }),
      ),
    );
  }

  onAppended(listener: (block: PortAppended) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #apply(wire: Uint8Array): PortOutcome {
    const reader = new CborReader(wire);
    reader.list();
    reader.uint();
    const id = reader.bytes();
    const [first, entries, payload] = [reader.uint(), reader.uint(), reader.bytes()];
    reader.end();
    if (reader.failed !== undefined) return { verdict: { kind: 'reject', reason: reader.failed } };
    const logId = logIdFromHash(asHash(id.slice()));
    const log = this.#logs.get(logId);
    if (log === undefined) return ignored(logId, 'log-unknown');
    if (payload[0] === 0xff) {
      return { verdict: { kind: 'reject', reason: fault('bad-hex', 'planned') }, logId };
    }
    if (payload[0] === 0xfe) return ignored(logId, 'queue-full');
    if (first < log.size) return ignored(logId, 'not-ahead');
    if (first > log.size) {
      return { verdict: { kind: 'accept' }, logId, gapFrom: asLogIndex(log.size), applied: false };
    }
    this.#add(log, wire.slice(), entries, false);
    this.applied += 1;
    return { verdict: { kind: 'accept' }, logId, applied: true };
  }

  #add(log: FakeLog, wire: Uint8Array, entries: number, local: boolean): void {
    const block: PortBlock = {
      number: asBlockNumber(log.blocks.length),
      firstIndex: asLogIndex(log.size),
      size: asTreeSize(log.size + entries),
      wire,
    };
    log.blocks.push(block);
    log.root = nodeCrypto.sha256(concat(log.root, wire));
    for (const listener of this.#listeners) listener({ logId: log.logId, local, ...block });
  }
}

function ignored(logId: LogId, code: 'log-unknown' | 'queue-full' | 'not-ahead'): PortOutcome {
  return { verdict: { kind: 'ignore', reason: fault(code, 'planned') }, logId };
}
