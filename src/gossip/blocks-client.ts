/** Fetching blocks from one peer, a page or live (blocks-codec.ts has the messages). */
import { fault, type Fault } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex, type TreeSize } from '../types.ts';
import type { Applier } from './applier.ts';
import { decodeBlocks, encodeBlocks } from './blocks-codec.ts';
import type { Exchange } from './exchange.ts';
import type { Net } from './net.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

export interface PullEnd {
  /** Tree size of the peer at the end of the page. */
  readonly size: TreeSize;
  /** Our own reason to stop early: the blocks are there, but we cannot take them now. */
  readonly stopped?: Fault | undefined;
  /** The peer sent what can never be valid; it has paid for it. */
  readonly rejected?: Fault | undefined;
}

/**
 * Reads one log from one peer, from our size on, and applies block by block; the next frame is on
 * its way meanwhile. With `live` it goes on until the signal or the peer ends it. Faults: those of
 * `askPeer`; `block-order` where the blocks do not follow each other.
 */
export async function pullBlocks(
  net: Net,
  applier: Applier,
  session: Session,
  request: { readonly logId: LogId; readonly live: boolean },
  signal: AbortSignal,
): Promise<Result<PullEnd>> {
  const { logId, live } = request;
  const from = asLogIndex(net.ledger.log(logId)?.size ?? 0);
  const read = { kind: 'read' as const, logId, from, live, maxBytes: limits.syncPageBytes };
  return askPeer(
    net,
    session,
    protocols.blocks,
    longLimit,
    async (exchange) => {
      const sent = await exchange.send(encodeBlocks(read));
      return sent.ok ? receiveBlocks(net, applier, session, exchange, from) : sent;
    },
    signal,
  );
}

async function receiveBlocks(
  net: Net,
  applier: Applier,
  session: Session,
  exchange: Exchange,
  from: LogIndex,
): Promise<Result<PullEnd>> {
  let position: number = from;
  for (;;) {
    const frame = await exchange.next();
    if (!frame.ok) return frame;
    const message = decodeBlocks(frame.value);
    if (!message.ok) return message;
    switch (message.value.kind) {
      case 'end':
        return ok({ size: message.value.size });
      case 'pulse':
        break;
      case 'blocks': {
        const { next, wires } = message.value;
        if (next <= position || wires.length === 0) {
          return err(fault('block-order', 'a page that does not go on'));
        }
        const applied = await applyAll(applier, session, wires);
        if (!applied.ok) return applied;
        if (applied.value !== undefined) return ok({ size: next, ...applied.value });
        position = next;
        const acked = await exchange.send(encodeBlocks({ kind: 'ack', next: asLogIndex(next) }));
        if (!acked.ok) return acked;
        break;
      }
      case 'read':
      case 'ack':
        return err(fault('message-shape', `${message.value.kind} from the side that serves`));
    }
  }
}

/** Undefined once all are applied, else why not: a reject of the peer's or a fault of our own. */
async function applyAll(
  applier: Applier,
  session: Session,
  wires: readonly Uint8Array[],
): Promise<Result<Omit<PullEnd, 'size'> | undefined>> {
  for (const wire of wires) {
    const step = await applier.sync(wire, session.peer);
    switch (step.kind) {
      case 'applied':
      case 'known':
        break;
      case 'ahead':
        return err(fault('block-order', 'a block that does not follow our head'));
      case 'rejected':
        return ok({ rejected: step.reason });
      case 'stopped':
        return ok({ stopped: step.reason });
    }
  }
  return ok(undefined);
}
