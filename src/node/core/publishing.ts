/**
 * From a batch of events to the logs of a stream: each event goes to the log of its partition, or on
 * to the peer of our organisation that writes it; results come back in the order of the events.
 */
import type { Hasher } from '../../crypto.ts';
import { fault } from '../../errors.ts';
import { checkSupported } from '../../event/supported.ts';
import { partitionKey, partitionOf } from '../../event/partition.ts';
import type { LogSummary, Receipt } from '../../ledger/ledger-types.ts';
import { toHex } from '../../bytes.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId, ParsedEvent } from '../../types.ts';
import type { ReceiptView, StreamView } from '../node-api.ts';
import { newestLog } from './chains.ts';

/** What both our own ledger and another peer tell of an event. */
export type PublishReceipt = Pick<
  Receipt,
  'log' | 'index' | 'leafHash' | 'block' | 'size' | 'root' | 'ack'
>;
/** One receipt or fault for each event, or a fault for all of them. */
export type Receipts = Result<readonly Result<PublishReceipt>[]>;

export interface PublishPorts {
  readonly hasher: Hasher;
  log(logId: LogId): LogSummary | undefined;
  publish(
    logId: LogId,
    events: readonly ParsedEvent[],
    options: { readonly signal?: AbortSignal },
  ): Promise<Receipts>;
  /** Asks the peer that writes the log; `writer-unreachable` where it cannot be had. */
  forward(logId: LogId, events: readonly ParsedEvent[], signal?: AbortSignal): Promise<Receipts>;
}

export async function publishToStream(
  ports: PublishPorts,
  stream: StreamView,
  events: readonly ParsedEvent[],
  signal?: AbortSignal,
): Promise<Result<readonly Result<ReceiptView>[]>> {
  const results = new Map<number, Result<ReceiptView>>();
  const lots = new Map<number, number[]>();
  for (const [i, event] of events.entries()) {
    const supported = checkSupported(event);
    const partition = supported.ok
      ? partitionOf(ports.hasher, partitionKey(event.context), stream.partitions)
      : supported;
    const lot = partition.ok ? lots.get(partition.value) : undefined;
    if (!partition.ok) results.set(i, partition);
    else if (lot === undefined) lots.set(partition.value, [i]);
    else lot.push(i);
  }
  const answers = await Promise.all(
    [...lots].map(async ([partition, places]) => {
      const lot = places.map((i) => events[i]).filter((event) => event !== undefined);
      return [places, await publishLot(ports, stream, partition, lot, signal)] as const;
    }),
  );
  for (const [places, answer] of answers) {
    // A fault of the only lot is a fault of the whole call: nothing was appended.
    if (!answer.ok && lots.size === 1 && places.length === events.length) return answer;
    for (const [n, i] of places.entries())
      results.set(i, answer.ok ? view(answer.value[n]) : answer);
  }
  return ok(events.map((_, i) => results.get(i) ?? missing()));
}

function publishLot(
  ports: PublishPorts,
  stream: StreamView,
  partition: number,
  events: readonly ParsedEvent[],
  signal: AbortSignal | undefined,
): Promise<Receipts> {
  const view = newestLog(stream, partition);
  if (view === undefined) {
    const message = `partition ${partition} of ${stream.display} is not known here`;
    return Promise.resolve(err(fault('writer-unreachable', message)));
  }
  const options = signal === undefined ? {} : { signal };
  const own = ports.log(view.log)?.role === 'writer';
  return own ? ports.publish(view.log, events, options) : ports.forward(view.log, events, signal);
}

function view(result: Result<PublishReceipt> | undefined): Result<ReceiptView> {
  if (result === undefined) return missing();
  if (!result.ok) return result;
  const { log, index, leafHash, block, size, root, ack } = result.value;
  return ok({ log, index, leafHash: toHex(leafHash), block, size, root: toHex(root), ack });
}

function missing(): Result<never> {
  return err(fault('internal', 'an event without a result'));
}
