/**
 * How lines that state the freshness of registries travel (heads-codec.ts, messages 11 and 12, and the
 * last item of rows): who meets a peer names the registries it keeps and the newest time it knows of
 * each, and is given newer ones. Peers of an owner ask often, since without one they must stop serving.
 */
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { Exchange } from './exchange.ts';
import type { FreshLine, FreshnessPort, FreshSeconds } from './freshness-port.ts';
import { decodeHeads, encodeHeads, type CosignedRow } from './heads-codec.ts';
import { isShared, usablePeers, type Net } from './net.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

/** Peers that are asked at once. */
const asked = 3;

/** Learns newer lines from a peer; `behind` is told of a registry that has grown there. */
export async function learnFresh(
  net: Net,
  session: Session,
  behind: (logId: LogId) => void = () => undefined,
): Promise<Result<void>> {
  const { freshness } = net.access ?? {};
  const wanted = freshness?.wanted(protocol.maxFreshRows) ?? [];
  if (freshness === undefined || wanted.length === 0) return ok(undefined);
  return askPeer(net, session, protocols.heads, longLimit(net), async (exchange) => {
    const sent = await exchange.send(encodeHeads({ kind: 'askFresh', registries: wanted }));
    if (!sent.ok) return sent;
    const frame = await exchange.next();
    const message = frame.ok ? decodeHeads(frame.value) : frame;
    if (!message.ok) return message;
    if (message.value.kind !== 'fresh') {
      return err(fault('message-shape', `${message.value.kind} at the wrong place`));
    }
    const open = new Set(wanted.map(({ logId }) => logId));
    for (const { logId, note } of message.value.rows) {
      if (!open.delete(logId)) return err(fault('message-shape', 'a log that was not asked for'));
      const kept = await freshness.offer(logId, note);
      net.counters.add(kept.ok ? 'freshnessKept' : 'freshnessRefused');
      if (!kept.ok && kept.error.code === 'block-ahead') behind(logId);
    }
    return ok(undefined);
  });
}

/** Answers with the lines that are newer than what the asker has. */
export async function answerFresh(
  net: Net,
  exchange: Exchange,
  registries: readonly FreshSeconds[],
): Promise<Result<void>> {
  const rows: CosignedRow[] = [];
  for (const { logId, seconds } of registries) {
    const line = await lineOf(net, logId);
    if (line !== undefined && line.seconds > seconds) rows.push({ logId, note: line.note });
  }
  return exchange.send(encodeHeads({ kind: 'fresh', rows }));
}

/** The line on exactly this checkpoint, for its row. */
export async function freshnessLine(
  net: Net,
  logId: LogId,
  checkpoint: string,
): Promise<string | undefined> {
  const line = await lineOf(net, logId);
  const isOn = line?.note.startsWith(checkpoint) === true;
  return isOn ? line.note.slice(checkpoint.length) : undefined;
}

async function lineOf(net: Net, logId: LogId): Promise<FreshLine | undefined> {
  const log = net.ledger.log(logId);
  if (!isShared(log) || log.genesis?.name !== '_registry') return undefined;
  return net.access?.freshness?.newest(logId);
}

/** Takes the line of a row. */
export function offerFreshness(
  net: Net,
  logId: LogId,
  checkpoint: string,
  line: string | undefined,
): void {
  const { freshness } = net.access ?? {};
  if (freshness === undefined || line === undefined) return;
  net.track(freshness.offer(logId, checkpoint + line));
}

/** Asks around for what this peer needs in order to go on serving. */
export class FreshnessPoll implements Disposable {
  readonly #net: Net;
  readonly #behind: (logId: LogId) => void;
  readonly #timer: Disposable;
  #asking = false;

  constructor(net: Net, behind: (logId: LogId) => void) {
    this.#net = net;
    this.#behind = behind;
    const { freshnessPollMs } = net.limits;
    this.#timer = net.host.timers.every(freshnessPollMs, () => {
      const { freshness } = net.access ?? {};
      if (freshness !== undefined && !this.#asking) net.track(this.#ask(freshness));
    });
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  async #ask(freshness: FreshnessPort): Promise<void> {
    const owner = freshness.urgent();
    if (owner === undefined) return;
    this.#asking = true;
    try {
      const peers = usablePeers(this.#net);
      const isOwners = (session: Session): boolean => session.identity?.organisation === owner;
      const first = peers.filter(isOwners);
      const others = peers.filter((session) => !isOwners(session));
      for (const session of [...first, ...others].slice(0, asked)) {
        await learnFresh(this.#net, session, this.#behind);
      }
    } finally {
      this.#asking = false;
    }
  }
}
