/**
 * `hw verify` over the store of a stopped node. What should be there is taken from more than one
 * place (the ledger, the registries in it, what the operator follows), so that a log whose rows were
 * lost is told as `incomplete` and not as unknown.
 */
import { fault } from '../errors.ts';
import type { Clock } from '../host.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { VerifyOptions } from '../ledger/ledger-types.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import { logsOf } from './core/cards.ts';
import type { Registries, StreamKey } from './core/registries.ts';
import type { Streams } from './core/streams.ts';
import type { HomeView } from './home.ts';
import type { VerifyView } from './evidence-api.ts';
import { contentsCheck } from './sealed/contents.ts';
import type { SealedRoom } from './sealed/sealed-room.ts';
import { openOfflineStreams } from './offline-streams.ts';
import { verifyLogs } from './verify-view.ts';

interface Expected {
  readonly log: LogId;
  /** 0 where nothing is stored. */
  readonly size: number;
}

/**
 * Checks everything that is stored of a stream. Codes: those of resolving its name,
 * `stream-not-followed`, `store-corrupt` where damage keeps the name from being resolved.
 */
export async function verifyOffline(
  home: HomeView,
  ledger: Ledger,
  stream: string,
  clock: Clock,
  options: VerifyOptions,
  sealed: SealedRoom,
): Promise<Result<VerifyView>> {
  const offline = await openOfflineStreams(home, ledger);
  if (!offline.ok) return offline;
  const { streams, registries, control, unread } = offline.value;
  const key = streams.parse(stream);
  if (!key.ok) {
    // The name is in a registry that cannot be read whole: where that is broken is the answer.
    const suspects = new Set([...damaged(ledger), ...unread]);
    const sized = [...suspects].map((log) => ({ log, size: ledger.log(log)?.size ?? 0 }));
    const found = await verifyLogs(ledger, stream, sized, clock, options);
    if (!found.ok || (suspects.size > 0 && found.value.verdict !== 'intact')) return found;
    return suspects.size > 0 ? err(unresolved(stream)) : key;
  }
  const logs = expectedLogs(ledger, registries, streams, key.value);
  const meant = [...home.config.follow, ...control.all('follow')].some((target) =>
    covers(streams, target, key.value),
  );
  if (logs.some(({ size }) => size > 0) || (logs.length > 0 && meant)) {
    const contents = contentsCheck(ledger, sealed);
    return await verifyLogs(ledger, stream, logs, clock, options, contents);
  }
  if (meant) return ok(nothingStored(stream));
  const known = streams.view(key.value);
  if (!known.ok) return known;
  return err(fault('stream-not-followed', `nothing of ${stream} is kept in this home`));
}

/** The logs that the ledger has, and those that the stream's card names besides. */
function expectedLogs(
  ledger: Ledger,
  registries: Registries,
  streams: Streams,
  key: StreamKey,
): readonly Expected[] {
  const found = new Map<LogId, number>();
  const view = streams.view(key);
  if (view.ok) for (const { log, size } of view.value.logs) found.set(log, size);
  const card = registries.card(key);
  for (const log of card === undefined ? [] : logsOf(card)) {
    if (!found.has(log)) found.set(log, ledger.log(log)?.size ?? 0);
  }
  return [...found].map(([log, size]) => ({ log, size }));
}

/** Whether a target of `hw follow` means this stream. */
function covers(streams: Streams, target: string, key: StreamKey): boolean {
  if (target === key.owner) return true;
  const named = streams.parse(target);
  return named.ok && named.value.owner === key.owner && named.value.name === key.name;
}

function damaged(ledger: Ledger): Set<LogId> {
  const bad = ledger.logs().filter(({ state, size }) => state === 'damaged' || size === 0);
  return new Set(bad.map(({ logId }) => logId));
}

function unresolved(stream: string): ReturnType<typeof fault> {
  const message = `damage in the store keeps ${stream} from being found`;
  return fault('store-corrupt', message, undefined, 'Name it as hw:<logId>, or as did:key:…/name.');
}

/** Followed, and not even its log is known. */
function nothingStored(stream: string): VerifyView {
  return { verdict: 'incomplete', stream, logs: [], checkedEvents: 0, seconds: 0 };
}
