/**
 * What callers with a bearer of their own read over HTTP, told to the book of deliveries. The token of
 * the home is its operator: what the node's own programs read has not left it.
 */
import type { FastifyRequest } from 'fastify';
import type { Handed, Meter, UsagePort } from '../../gossip/usage-port.ts';
import { decodeBlock } from '../../ledger/block-codec.ts';
import type { LogId } from '../../types.ts';
import type { Delivery, NodeApi, ReadRequest, StreamView } from '../node-api.ts';
import { callerOf } from './callers.ts';
import { contentBytes } from './formats.ts';

type Told = Pick<NodeApi, 'deliveries' | 'streamByText'>;

/** One entry of a log with its content, handed to the caller: an event, a proof that discloses it. */
export function countOne(
  api: Told,
  request: FastifyRequest,
  logId: LogId,
  index: number,
  bytes: number,
): void {
  countHanded(api, request, logId, () => ({ from: index, to: index + 1, count: 1, bytes }));
}

/** A block of a log as it is stored, handed to the caller. */
export function countBlock(
  api: Told,
  request: FastifyRequest,
  logId: LogId,
  wire: Uint8Array,
): void {
  countHanded(api, request, logId, () => {
    const block = decodeBlock(wire, { reduced: true });
    if (!block.ok) return undefined;
    const { firstIndex: from, entries } = block.value;
    const count = entries.filter(({ bodyOffset }) => bodyOffset >= 0).length;
    return { from, to: from + entries.length, count, bytes: wire.length };
  });
}

/** Parts of a bundle that the caller fetches: ranges alone, since what of them are events is not known. */
export function countCarried(
  api: Told,
  request: FastifyRequest,
  carried: readonly { readonly log: LogId; readonly from: number; readonly to: number }[],
): void {
  for (const { log, from, to } of carried) {
    countHanded(api, request, log, () => ({ from, to, count: 0, bytes: 0 }));
  }
}

function countHanded(
  api: Told,
  request: FastifyRequest,
  logId: LogId,
  handed: () => Handed | undefined,
): void {
  const { kind, did } = callerOf(request) ?? {};
  if (kind !== 'admin' || did === undefined) return;
  const stream = api.streamByText(`hw:${logId}`);
  if (!stream.ok) return;
  const who = { organisation: did, cids: [], way: 'http' } as const;
  const what = handed();
  if (what !== undefined) api.deliveries.delivered({ logId, genesis: stream.value, ...who }, what);
}

type Item = Pick<Delivery, 'log' | 'index' | 'event'>;

/** One reading by one caller. */
export class ReadingMeter {
  readonly #usage: UsagePort;
  readonly #stream: Pick<StreamView, 'owner' | 'name' | 'visibility'>;
  readonly #reader: ReturnType<typeof callerOf>;
  /** Everything between two events of a log that were delivered was delivered. */
  readonly #whole: boolean;
  readonly #logs = new Map<LogId, { readonly meter: Meter | undefined; end: number | undefined }>();

  constructor(
    usage: UsagePort,
    request: FastifyRequest,
    stream: Pick<StreamView, 'owner' | 'name' | 'visibility'>,
    wanted: ReadRequest,
  ) {
    this.#usage = usage;
    this.#stream = stream;
    this.#reader = callerOf(request);
    const { subject, eventFrom, eventTo } = wanted;
    this.#whole = subject === undefined && eventFrom === undefined && eventTo === undefined;
  }

  /** Counts each batch as it is handed on, whatever becomes of it. */
  given(source: AsyncIterable<readonly Delivery[]>): AsyncIterable<readonly Delivery[]> {
    return this.#reader?.kind === 'admin' ? this.#given(source) : source;
  }

  /** Bytes are those of attributes and data. */
  count(items: readonly Item[]): void {
    for (const item of items) {
      if (item.event === undefined) continue; // Sealed for the caller too: nothing was handed over.
      const { log, index } = item;
      const state = this.#stateOf(log);
      if (state.meter === undefined) continue;
      if (item.event === undefined) {
        // Sealed, and without its key: what comes next does not go on from here.
        state.end = undefined;
        continue;
      }
      const from = this.#whole ? (state.end ?? index) : index;
      state.end = index + 1;
      const bytes = contentBytes(item);
      state.meter.delivered({ from, to: index + 1, count: 1, bytes });
    }
  }

  async *#given(source: AsyncIterable<readonly Delivery[]>): AsyncGenerator<readonly Delivery[]> {
    for await (const batch of source) {
      this.count(batch);
      yield batch;
    }
  }

  #stateOf(logId: LogId): { readonly meter: Meter | undefined; end: number | undefined } {
    const known = this.#logs.get(logId);
    if (known !== undefined) return known;
    const { kind, did } = this.#reader ?? {};
    const meter =
      kind !== 'admin' || did === undefined
        ? undefined
        : this.#usage.meter({
            logId,
            genesis: this.#stream,
            organisation: did,
            cids: [],
            way: 'http',
          });
    const state = { meter, end: undefined };
    this.#logs.set(logId, state);
    return state;
  }
}
