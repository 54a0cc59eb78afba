/**
 * Fetching the other history of a forked log from a peer that holds it: where it parts from ours is
 * found by halving, comparing roots; the blocks from there on are kept as evidence.
 */
import { equal } from '../bytes.ts';
import { err, ok, type Result } from '../result.ts';
import { fault } from '../errors.ts';
import { asLogIndex, asTreeSize, type LogId, type LogIndex } from '../types.ts';
import { decodeBlocks, encodeBlocks } from './blocks-codec.ts';
import { fetchKeys } from './keys.ts';
import type { ForkPort, PortControls } from './ledger-port.ts';
import type { Net } from './net.ts';
import type { ProofMessage } from './proof-codec.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

type Ask = (request: ProofMessage) => Promise<Result<ProofMessage>>;

/** Bytes of the other history that are asked for; `maxForkEvidence` blocks of them are kept. */
const maxBranchBytes = 4_194_304;

/** True where the peer holds the other history and blocks of it are kept now. */
export async function fetchBranch(
  net: Net,
  session: Session,
  logId: LogId,
  ask: Ask,
): Promise<Result<boolean>> {
  const { forks } = net.ledger;
  if (forks === undefined) return ok(false);
  const parting = await partingOf(net, logId, ask);
  if (!parting.ok) return parting;
  if (parting.value === undefined) return ok(false);
  const from = parting.value;
  const pages = await fetchKeys(net, session, logId);
  if (!pages.ok) return pages;
  const controls = pages.value.flatMap(({ entries }) => entries);
  return askPeer(net, session, protocols.blocks, longLimit(net), async (exchange) => {
    const maxBytes = maxBranchBytes;
    const read = { kind: 'read' as const, logId, from, maxBytes, live: false };
    const sent = await exchange.send(encodeBlocks(read));
    if (!sent.ok) return sent;
    for (let kept = false; ;) {
      const frame = await exchange.next();
      if (!frame.ok) return frame;
      const message = decodeBlocks(frame.value);
      if (!message.ok) return message;
      if (message.value.kind === 'end') return ok(kept);
      if (message.value.kind !== 'blocks') continue;
      const added = await keepAll(forks, message.value.wires, controls);
      if (!added.ok) return added;
      kept ||= added.value.kept;
      if (added.value.full) return ok(kept);
      const next = asLogIndex(message.value.next);
      const acked = await exchange.send(encodeBlocks({ kind: 'ack', next }));
      if (!acked.ok) return acked;
    }
  });
}

async function keepAll(
  forks: ForkPort,
  wires: readonly Uint8Array[],
  controls: PortControls,
): Promise<Result<{ readonly kept: boolean; readonly full: boolean }>> {
  let kept = false;
  for (const wire of wires) {
    const added = await forks.keep(wire.slice(), controls);
    if (!added.ok) return added;
    if (kept && !added.value) return ok({ kept, full: true });
    kept ||= added.value;
  }
  return ok({ kept, full: false });
}

/** The first entry that may differ; undefined where the peer holds our history. */
async function partingOf(net: Net, logId: LogId, ask: Ask): Promise<Result<LogIndex | undefined>> {
  const head = await ask({ kind: 'consistency', logId, from: asTreeSize(1), size: asTreeSize(0) });
  if (!head.ok) return head;
  if (head.value.kind !== 'proof') return err(fault('message-shape', 'not a proof'));
  const ours = net.ledger.log(logId)?.size ?? 0;
  const differs = async (size: number): Promise<Result<boolean>> => {
    const root = await net.ledger.proofs?.rangeRoot(logId, asLogIndex(0), asLogIndex(size));
    if (root === undefined) return err(fault('log-unknown', 'no proofs here'));
    if (!root.ok) return root;
    const at = asTreeSize(size);
    const theirs = await ask({ kind: 'consistency', logId, from: at, size: at });
    if (!theirs.ok) return theirs;
    if (theirs.value.kind !== 'proof') return err(fault('message-shape', 'not a proof'));
    return ok(!equal(theirs.value.root, root.value));
  };
  let high = Math.min(ours, head.value.size);
  const apart = await differs(high);
  if (!apart.ok) return apart;
  if (!apart.value) return ok(undefined);
  // The genesis is the same: the log's id is its hash.
  for (let low = 1; ;) {
    if (high - low <= 1) return ok(asLogIndex(low));
    const middle = Math.floor((low + high) / 2);
    const found = await differs(middle);
    if (!found.ok) return found;
    if (found.value) high = middle;
    else low = middle;
  }
}
