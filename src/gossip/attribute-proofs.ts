/**
 * Attributes without data (access.md "Tokens"): of a direct log, for who has a grant, be it of these alone;
 * all other logs are read as blocks by everybody. Each event comes as a proof of its own that discloses its attributes; the
 * reader verifies it by the log's id alone. What is no event, was recorded outside of the grant's range or
 * has no content any more is passed over; that something was left out a reader cannot see.
 */
import type { ReadArgs } from '../access/grant.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, asTimeMs, type LogId, type LogIndex, type TimeMs } from '../types.ts';
import { admit, grantFor, unknownLog } from './admission.ts';
import type { Exchange } from './exchange.ts';
import type { PortLog } from './ledger-port.ts';
import { meterOf } from './metering.ts';
import type { Net } from './net.ts';
import {
  decodeProof,
  encodeProof,
  maxAttributeProofs,
  type AskAttributes,
  type AttributesAnswer,
} from './proof-codec.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

/** What the ledger gives; floor 3 fills it. */
export interface AttributesPort {
  /** Undefined for what is no event or has no content here. Codes: those of making a proof. */
  prove(logId: LogId, index: LogIndex): Promise<Result<string | undefined>>;
  /** The first entry that was recorded at this time or later; the size where there is none. */
  indexAt(logId: LogId, time: TimeMs): Promise<Result<LogIndex>>;
}

/** Bytes of the proofs of one answer: it is one frame. */
const maxPageBytes = 200_000;
/** Entries that are looked at for one answer. */
const maxLooked = 1024;

export async function answerAttributes(
  net: Net,
  session: Session,
  { logId, from, count }: AskAttributes,
  grant: Uint8Array | undefined,
): Promise<Result<AttributesAnswer>> {
  const admitted = admit(net, session, logId, grant, 'proofs');
  if (!admitted.ok) return admitted;
  const { log, permit } = admitted.value;
  const port = net.attributes;
  if (port === undefined || log.size === 0) return err(unknownLog);
  if (permit === undefined) {
    return err(fault('fields-unsupported', 'this log is read as blocks, by everybody'));
  }
  const range = await rangeOf(port, log, permit.args);
  if (!range.ok) return range;
  const { begin, end } = range.value;
  const proofs: string[] = [];
  let bytes = 0;
  /** From the first to the last event that is proved. */
  let given: { readonly from: number; readonly to: number } | undefined;
  let at = Math.max(from, begin);
  const last = Math.min(end, at + maxLooked);
  for (; at < last && proofs.length < Math.min(count, maxAttributeProofs); at++) {
    const index = asLogIndex(at);
    const proved = await port.prove(logId, index);
    if (!proved.ok) return proved;
    if (proved.value === undefined) continue;
    const { length } = proved.value;
    if (length > maxPageBytes) {
      return err(fault('proof-too-large', `the proof of entry ${at} has ${length} bytes`));
    }
    if (bytes + length > maxPageBytes) break;
    // What was taken back meanwhile is not sent.
    const ended = net.access?.ended(permit);
    if (ended !== undefined) return err(ended);
    bytes += length;
    given = { from: given?.from ?? at, to: at + 1 };
    proofs.push(proved.value);
  }
  if (given !== undefined) {
    const meter = meterOf(net, session, logId, permit, 'attributes');
    meter?.delivered({ ...given, count: proofs.length, bytes });
  }
  // Behind the range there is nothing more for this reader.
  const next = asLogIndex(at >= end ? log.size : at);
  return ok({ kind: 'attributes', next, size: log.size, proofs });
}

/** The entries that a grant is about; recorded times never go back within a log. */
async function rangeOf(
  port: AttributesPort,
  { logId, size }: Pick<PortLog, 'logId' | 'size'>,
  { from, to }: Pick<ReadArgs, 'from' | 'to'>,
): Promise<Result<{ readonly begin: number; readonly end: number }>> {
  const begin = from === 0 ? ok(asLogIndex(0)) : await port.indexAt(logId, asTimeMs(from));
  if (!begin.ok) return begin;
  const end = to === undefined ? ok(asLogIndex(size)) : await port.indexAt(logId, asTimeMs(to));
  return end.ok ? ok({ begin: begin.value, end: Math.min(size, end.value) }) : end;
}

/** A page of attributes from one peer, as it states them. Codes: those of `askPeer`, message-shape. */
export function askAttributes(
  net: Net,
  session: Session,
  ask: AskAttributes,
  signal: AbortSignal,
): Promise<Result<AttributesAnswer>> {
  const granted = grantFor(net, session, ask.logId);
  if (!granted.ok) return Promise.resolve(granted);
  const { grant } = granted.value;
  const plain = encodeProof(ask);
  const frame =
    grant === undefined ? plain : encodeProof({ kind: 'granted', grant, request: plain });
  const run = async (exchange: Exchange): Promise<Result<AttributesAnswer>> => {
    const sent = await exchange.send(frame);
    if (!sent.ok) return sent;
    const next = await exchange.next();
    const answer = next.ok ? decodeProof(next.value) : next;
    if (!answer.ok) return answer;
    const { value } = answer;
    const forward =
      value.kind === 'attributes' && (value.next > ask.from || value.next >= value.size);
    return forward ? ok(value) : err(fault('message-shape', 'not a page of attributes'));
  };
  return askPeer(net, session, protocols.proof, longLimit(net), run, signal);
}
