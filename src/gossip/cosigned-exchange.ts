/**
 * Cosignatures travel with heads (heads-codec.ts, messages 9 and 10): who keeps a log for which
 * witnesses count states the newest cosigned checkpoint it has of it, and is given a newer one, or
 * one of the same size with more lines. Both sides learn: the answerer cannot see what the asker
 * has more of, so it asks back at its own next meeting.
 */
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asTreeSize, type LogId } from '../types.ts';
import type { Exchange } from './exchange.ts';
import {
  decodeHeads,
  encodeHeads,
  maxCosignedNote,
  type CosignedRow,
  type CosignedSize,
} from './heads-codec.ts';
import type { PortLog } from './ledger-port.ts';
import { isShared, type Net } from './net.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

/** Learns newer cosignatures from a peer; asks nothing where no witness counts. */
export async function learnCosigned(net: Net, session: Session): Promise<Result<void>> {
  const { cosigned } = net.evidence ?? {};
  if (cosigned === undefined) return ok(undefined);
  const sizes: CosignedSize[] = [];
  for (const log of net.ledger.logs()) {
    if (sizes.length >= protocol.maxHeadsPage) break;
    if (log.size === 0 || !isShared(log) || !cosigned.wants(log.logId)) continue;
    const newest = await cosigned.newest(log.logId);
    if (!newest.ok) return newest;
    const { size = asTreeSize(0), lines = 0 } = newest.value ?? {};
    sizes.push({ logId: log.logId, size, lines });
  }
  if (sizes.length === 0) return ok(undefined);
  return askPeer(net, session, protocols.heads, longLimit(net), async (exchange) => {
    const sent = await exchange.send(encodeHeads({ kind: 'askCosigned', sizes }));
    if (!sent.ok) return sent;
    const asked = new Set(sizes.map(({ logId }) => logId));
    for (;;) {
      const frame = await exchange.next();
      const message = frame.ok ? decodeHeads(frame.value) : frame;
      if (!message.ok) return message;
      if (message.value.kind !== 'cosigned') {
        return err(fault('message-shape', `${message.value.kind} at the wrong place`));
      }
      for (const { logId, note } of message.value.rows) {
        // Each log is answered once at most, so the peer cannot keep us here.
        if (!asked.delete(logId))
          return err(fault('message-shape', 'a log that was not asked for'));
        const kept = await cosigned.add(logId, note);
        net.counters.add(kept.ok ? 'cosignedKept' : 'cosignedRefused');
      }
      if (!message.value.more) return ok(undefined);
      if (message.value.rows.length === 0) return err(fault('message-shape', 'an empty page'));
    }
  });
}

/** Answers with what we have newer, in as many frames as it takes. */
export async function answerCosigned(
  net: Net,
  exchange: Exchange,
  sizes: readonly CosignedSize[],
): Promise<Result<void>> {
  const { cosigned } = net.evidence ?? {};
  let rows: CosignedRow[] = [];
  let bytes = 0;
  for (const { logId, size, lines } of sizes) {
    if (cosigned === undefined || !isShared(net.ledger.log(logId))) continue;
    const newest = await cosigned.newest(logId);
    if (!newest.ok || newest.value === undefined) continue;
    const { note } = newest.value;
    const isNewer =
      newest.value.size > size || (newest.value.size === size && newest.value.lines > lines);
    if (!isNewer || note.length > maxCosignedNote) continue;
    if (bytes + note.length > protocol.maxHeadsPageBytes) {
      const sent = await exchange.send(encodeHeads({ kind: 'cosigned', more: true, rows }));
      if (!sent.ok) return sent;
      [rows, bytes] = [[], 0];
    }
    rows.push({ logId, note });
    bytes += note.length + 64;
  }
  return exchange.send(encodeHeads({ kind: 'cosigned', more: false, rows }));
}

/** The lines on exactly this head, for its row. */
export async function cosignatureLines(net: Net, log: PortLog): Promise<readonly string[]> {
  const newest = await net.evidence?.cosigned.newest(log.logId);
  if (newest?.ok !== true || newest.value?.size !== log.size) return [];
  const { note } = newest.value;
  const lines = note.slice(note.lastIndexOf('\n\n') + 2).split('\n');
  // The first line is the writer's, which the row's checkpoint has; after the last comes nothing.
  return lines.slice(1, -1).map((line) => `${line}\n`);
}

/** Keeps the lines that came with a head; they wait in the ledger until we have as much. */
export function offerLines(
  net: Net,
  logId: LogId,
  checkpoint: string,
  lines: readonly string[],
): void {
  const { cosigned } = net.evidence ?? {};
  if (cosigned === undefined || lines.length === 0 || !cosigned.wants(logId)) return;
  net.track(cosigned.add(logId, checkpoint + lines.join('')));
}
