/** `hw replay` over the store of a stopped node: the same lines as the API gives. */
import { concat } from '../bytes.ts';
import { fault } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { err, ok, type Result } from '../result.ts';
import { historyOf, readHistory } from './core/history.ts';
import type { HomeView } from './home.ts';
import { envelopeFormat, lineFormat } from './http/formats.ts';
import type { Delivery, ReadRequest } from './node-api.ts';
import { openOfflineStreams } from './offline-streams.ts';
import type { Runtime } from './runtime.ts';
import type { SealedRoom } from './sealed/sealed-room.ts';

export interface ReplayContext {
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  /** Lines with log, index and recorded time around the event. */
  readonly json: boolean;
  /** Opens sealed streams, as far as their keys are in the home. */
  readonly sealed: Pick<SealedRoom, 'reader'>;
}

/** Chunks of whole lines. Codes: those of names and ranges; faults of the store throw while reading. */
export async function replayOffline(
  home: HomeView,
  ledger: Ledger,
  stream: string,
  request: ReadRequest,
  { runtime, signal, json, sealed }: ReplayContext,
): Promise<Result<AsyncIterable<Uint8Array>>> {
  const offline = await openOfflineStreams(home, ledger);
  if (!offline.ok) return offline;
  const key = offline.value.streams.parse(stream);
  const view = key.ok ? offline.value.streams.view(key.value) : key;
  if (!view.ok) return view;
  if (view.value.logs.length === 0) {
    return err(fault('stream-not-followed', `nothing of ${stream} is kept in this home`));
  }
  const history = historyOf(ledger, sealed);
  const source = await readHistory(history, runtime, view.value, request, signal);
  return source.ok ? ok(lines(source.value, json)) : source;
}

async function* lines(
  source: AsyncIterable<readonly Delivery[]>,
  json: boolean,
): AsyncGenerator<Uint8Array> {
  const format = json ? envelopeFormat : lineFormat;
  for await (const batch of source) yield concat(...batch.flatMap((item) => format.render(item)));
}
