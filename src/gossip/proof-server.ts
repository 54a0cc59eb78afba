/** Serving proofs and forks to peers (proof-codec.ts has the messages). */
import { equal } from '../bytes.ts';
import { fault } from '../errors.ts';
import type { ProofRequest } from '../proof-request.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, asTreeSize, type Hash, type TreeSize } from '../types.ts';
import type { PortLog, ProofPort } from './ledger-port.ts';
import { admit, unknownLog } from './admission.ts';
import { answerAttributes } from './attribute-proofs.ts';
import { meterOf } from './metering.ts';
import { isShared, type Net } from './net.ts';
import {
  decodeProof,
  encodeProof,
  forksDigest,
  maxForkRows,
  type OtherRoot,
  type ProofAnswerMessage,
  type ProofMessage,
  type RootRow,
} from './proof-codec.ts';
import { protocols, serve, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';

/** Bytes of checkpoints in one answer to `roots`; the rest shows when these are frozen. */
const maxOtherRoots = 64;

export async function serveProofs(net: Net): Promise<void> {
  await serve(net, {
    protocol: protocols.proof,
    limit: shortLimit(net),
    greeted: true,
    answer: async (exchange, session) => {
      const frame = await exchange.next();
      if (!frame.ok) return frame;
      const request = decodeProof(frame.value);
      if (!request.ok) return request;
      const answer = await answerTo(net, session, request.value);
      return answer.ok ? exchange.send(encodeProof(answer.value)) : answer;
    },
  });
}

async function answerTo(
  net: Net,
  session: Session,
  request: ProofMessage,
): Promise<Result<ProofMessage>> {
  switch (request.kind) {
    case 'inclusion':
    case 'consistency':
    case 'range':
      return prove(net, session, request, undefined);
    case 'granted': {
      const inner = decodeProof(request.request);
      if (!inner.ok) return inner;
      if (inner.value.kind === 'askAttributes') {
        return answerAttributes(net, session, inner.value, request.grant);
      }
      if (!isProofRequest(inner.value)) return err(fault('message-shape', 'not a request'));
      return prove(net, session, inner.value, request.grant);
    }
    case 'askFork': {
      const told = forkedLogs(net).includes(request.logId);
      const proof = told ? await net.ledger.forks?.proof(request.logId) : undefined;
      if (proof?.ok === false) return proof;
      if (proof?.value === undefined) {
        return err(fault('log-unknown', 'no fork of it is known here'));
      }
      return ok({ kind: 'fork', proof: proof.value });
    }
    case 'askForks': {
      const logs = forkedLogs(net);
      const same = equal(forksDigest(net.crypto, logs), request.digest);
      return ok({ kind: 'forks', logs: same ? [] : logs });
    }
    case 'askRoots':
      return ok({ kind: 'roots', rows: otherRoots(net, request.rows) });
    case 'askAttributes':
      return answerAttributes(net, session, request, undefined);
    case 'attributes':
    case 'proof':
    case 'fork':
    case 'forks':
    case 'roots':
      return err(fault('message-shape', 'not a request'));
  }
}

/** Logs whose fork we can prove, but for those that nobody else knows. */
export function forkedLogs(net: Net): LogIds {
  const logs = net.ledger.forks?.list().map(({ logId }) => logId) ?? [];
  const direct = (logId: LogIds[number]): boolean =>
    net.ledger.log(logId)?.genesis?.visibility === 'direct';
  return logs.filter((logId) => !direct(logId)).slice(0, maxForkRows);
}
type LogIds = readonly PortLog['logId'][];

function otherRoots(net: Net, rows: readonly RootRow[]): readonly OtherRoot[] {
  const others: OtherRoot[] = [];
  for (const { logId, size, root } of rows) {
    const log = net.ledger.log(logId);
    if (!isShared(log) || log.size !== size || equal(log.root, root)) continue;
    others.push({ logId, checkpoint: log.checkpoint });
    if (others.length === maxOtherRoots) break;
  }
  return others;
}

function isProofRequest(message: ProofMessage): message is ProofRequest {
  const { kind } = message;
  return kind === 'inclusion' || kind === 'consistency' || kind === 'range';
}

async function prove(
  net: Net,
  session: Session,
  request: ProofRequest,
  grant: Uint8Array | undefined,
): Promise<Result<ProofAnswerMessage>> {
  const admitted = admit(net, session, request.logId, grant, 'proofs');
  if (!admitted.ok) return admitted;
  const { log } = admitted.value;
  const { proofs } = net.ledger;
  if (log.size === 0 || proofs === undefined) return err(unknownLog);
  const size = request.size === 0 ? log.size : request.size;
  if (size > log.size) return err(fault('index-over-head', `we have ${log.size} entries`));
  const hashes = await hashesOf(proofs, request, size);
  if (!hashes.ok) return hashes;
  const atHead = size === log.size;
  const root = atHead
    ? ok(log.root)
    : await proofs.rangeRoot(log.logId, asLogIndex(0), asLogIndex(size));
  if (!root.ok) return root;
  const checkpoint = atHead ? log.checkpoint : '';
  const bytes = 32 * (1 + hashes.value.length) + checkpoint.length;
  const meter = meterOf(net, session, request.logId, admitted.value.permit, 'proof');
  meter?.delivered({ ...placeOf(request), count: 1, bytes });
  return ok({ kind: 'proof', size, root: root.value, checkpoint, hashes: hashes.value });
}

/** The entries that a proof is about; none of a proof between two sizes. */
function placeOf(request: ProofRequest): { readonly from: number; readonly to: number } {
  if (request.kind === 'range') return { from: request.from, to: request.to };
  if (request.kind === 'consistency') return { from: 0, to: 0 };
  return { from: request.index, to: request.index + 1 };
}

async function hashesOf(
  proofs: ProofPort,
  request: ProofRequest,
  size: TreeSize,
): Promise<Result<readonly Hash[]>> {
  switch (request.kind) {
    case 'inclusion':
      return proofs.inclusion(request.logId, request.index, size);
    case 'consistency':
      if (request.from === size) return ok([]);
      return proofs.consistency(request.logId, asTreeSize(request.from), size);
    case 'range': {
      const { logId, from, to } = request;
      const made = await proofs.range?.(logId, from, to, size);
      return made ?? err(fault('log-unknown', 'range proofs are not served here'));
    }
  }
}
