/** Fetching blocks from one peer, a page or live (blocks-codec.ts has the messages). */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex, type TreeSize } from '../types.ts';
import { peekBlock, type Applier } from './applier.ts';
import { decodeBlocks, encodeBlocks } from './blocks-codec.ts';
import type { Exchange } from './exchange.ts';
import { grantFor } from './admission.ts';
import { penalise, usablePeers, type Net } from './net.ts';
import { penalty } from './scores.ts';
import { askPeer, isDenial, longLimit, protocols } from './serve.ts';
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
 * its way meanwhile. With `live` it goes on until the signal or the peer ends it. Where our log loses
 * its end meanwhile (another read showed that its owner chose another history) the read is stopped
 * with `branch-left`. Faults: those of `askPeer`; `block-order` where the blocks do not follow each
 * other.
 */
export async function pullBlocks(
  net: Net,
  applier: Applier,
  session: Session,
  request: { readonly logId: LogId; readonly live: boolean },
  signal: AbortSignal,
): Promise<Result<PullEnd>> {
  const { logId, live } = request;
  const log = net.ledger.log(logId);
  const from = asLogIndex(log?.size ?? 0);
  const asked = { logId, from, live, resets: log?.resets };
  const grant = grantFor(net, session, logId);
  if (!grant.ok) return grant;
  const maxBytes = net.limits.syncPageBytes;
  const read = { kind: 'read' as const, logId, from, live, maxBytes, ...grant.value };
  const pulled = await askPeer(
    net,
    session,
    protocols.blocks,
    longLimit(net),
    async (exchange) => {
      const sent = await exchange.send(encodeBlocks(read));
      return sent.ok ? receiveBlocks(net, applier, session, exchange, asked) : sent;
    },
    signal,
  );
  if (grant.value.grant !== undefined) tellAccess(net, logId, pulled);
  return pulled;
}

/** What was asked of the peer, and how our log was then. */
interface Asked {
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly live: boolean;
  readonly resets: number | undefined;
}

/** What a peer of the owner said to our grant. */
function tellAccess(net: Net, logId: LogId, pulled: Result<PullEnd>): void {
  if (pulled.ok) net.access?.answered(logId, undefined);
  else if (isDenial(pulled.error) || (pulled.error.code === 'log-unknown' && isOnly(net, logId))) {
    net.access?.answered(logId, pulled.error);
  }
}

/** Whether nobody else could have the log: of several peers of its owner not each has all of its logs. */
function isOnly(net: Net, logId: LogId): boolean {
  const owner = net.access?.ownerOf(logId);
  return usablePeers(net).filter(({ identity }) => identity?.organisation === owner).length <= 1;
}

async function receiveBlocks(
  net: Net,
  applier: Applier,
  session: Session,
  exchange: Exchange,
  asked: Asked,
): Promise<Result<PullEnd>> {
  const { logId, from, live } = asked;
  let position: number = from;
  let applying: Applying | undefined;
  for (;;) {
    const frame = await exchange.next();
    const message = frame.ok ? decodeBlocks(frame.value) : frame;
    // The frame before it was applied meanwhile; whatever comes now, its end counts first.
    const before = await finish(exchange, applying);
    if (before !== undefined) return before;
    applying = undefined;
    if (!message.ok) return message;
    switch (message.value.kind) {
      case 'end':
        return ok({ size: message.value.size, stopped: lostEnd(net, asked) });
      case 'pulse':
        break;
      case 'cosigned':
        await net.evidence?.cosigned.add(logId, message.value.note);
        break;
      case 'blocks': {
        const { next, wires } = message.value;
        if (next <= position || wires.length === 0) {
          return err(fault('block-order', 'a page that does not go on'));
        }
        const frame = { wires, position, asked };
        position = next;
        applying = { next, result: applyAll(net, applier, session, frame) };
        break;
      }
      case 'read':
      case 'ack':
        return err(fault('message-shape', `${message.value.kind} from the side that serves`));
    }
    // In a live read the next frame may be long in coming.
    const applied = live ? await finish(exchange, applying) : undefined;
    if (applied !== undefined) return applied;
    if (live) applying = undefined;
  }
}

/**
 * Why what came since says nothing of the peer: it was asked for what follows an end that our log no
 * longer has.
 */
function lostEnd(net: Net, { logId, resets }: Asked): Fault | undefined {
  if (net.ledger.log(logId)?.resets === resets) return undefined;
  return fault('branch-left', 'our log was shortened while more of it was fetched');
}

interface Frame {
  readonly wires: readonly Uint8Array[];
  /** Where it has to go on, by what was asked and sent before. */
  readonly position: number;
  readonly asked: Asked;
}

/** A frame's blocks on their way into the ledger, while the next frame is awaited. */
interface Applying {
  readonly next: TreeSize;
  readonly result: Promise<Result<Omit<PullEnd, 'size'> | undefined>>;
}

/** Waits for the blocks of a frame and acknowledges them; a value where the read ends here. */
async function finish(
  exchange: Exchange,
  applying: Applying | undefined,
): Promise<Result<PullEnd> | undefined> {
  if (applying === undefined) return undefined;
  const { next } = applying;
  const applied = await applying.result;
  if (!applied.ok) return applied;
  if (applied.value !== undefined) return ok({ size: next, ...applied.value });
  const acked = await exchange.send(encodeBlocks({ kind: 'ack', next: asLogIndex(next) }));
  return acked.ok ? undefined : acked;
}

/**
 * Undefined once all are applied, else why not: a reject of the peer's or a fault of our own. The
 * blocks are handed over together, because the ledger judges one while it writes the one before.
 */
async function applyAll(
  net: Net,
  applier: Applier,
  session: Session,
  { wires, position, asked }: Frame,
): Promise<Result<Omit<PullEnd, 'size'> | undefined>> {
  const steps = await Promise.all(wires.map((wire) => applier.sync(wire, session.peer)));
  for (const [i, wire] of wires.entries()) {
    let step = steps[i];
    // Ahead only because one before it was late? Then it fits now.
    if (step?.kind === 'ahead') step = await applier.sync(wire, session.peer);
    switch (step?.kind) {
      case undefined:
      case 'applied':
      case 'known':
        break;
      case 'ahead': {
        // A frame that leaves a gap to what was asked for is wrong whatever became of our log.
        const goesOn = (peekBlock(wires[0] ?? wire)?.firstIndex ?? Infinity) <= position;
        const stopped = goesOn ? lostEnd(net, asked) : undefined;
        if (stopped !== undefined) return ok({ stopped });
        return err(fault('block-order', `block ${i} of the frame does not follow our head`));
      }
      case 'rejected':
        penalise(net, session.peer, penalty.reject, step.reason.code);
        return ok({ rejected: step.reason });
      case 'stopped':
        return ok({ stopped: step.reason });
    }
  }
  return ok(undefined);
}
