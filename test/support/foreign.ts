/** A ledger as the one peer that shows a log to those who do not keep it. */
import { fault } from '../../src/errors.ts';
import type { ForeignSource } from '../../src/ledger/foreign-port.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ProofAnswer, ProofRequest } from '../../src/proof-request.ts';
import { err, ok, type Result } from '../../src/result.ts';
import { asLogIndex, type TreeSize } from '../../src/types.ts';
import { must } from './result.ts';

export interface Served {
  /** What was asked, in order: `keys`, `range 1-3`, `blocks 5`. */
  readonly asked: string[];
  /** Wire bytes that went over. */
  bytes: number;
  readonly source: ForeignSource;
}

export interface Lies {
  readonly answer?: (answer: ProofAnswer) => ProofAnswer;
  readonly wire?: (wire: Uint8Array) => Uint8Array;
}

/** A ledger as the one peer that answers. */
export function served(ledger: Ledger, lies: Lies = {}): Served {
  const asked: string[] = [];
  const source: ForeignSource = {
    async keys(logId, take) {
      asked.push('keys');
      const chain = await ledger.keyChain(logId);
      return chain.ok ? take(chain.value.entries) : chain;
    },
    async prove(request, take) {
      asked.push(named(request));
      const answer = await prove(ledger, request);
      return answer.ok ? take(lies.answer?.(answer.value) ?? answer.value) : answer;
    },
    async cosigned(logId, _last, take) {
      asked.push('cosigned');
      const newest = await ledger.cosigned.newest(logId);
      if (newest.ok && newest.value !== undefined) return take(newest.value.note);
      return err(fault('log-unknown', 'none is kept'));
    },
    async blocks(logId, from, maxBytes, take) {
      asked.push(`blocks ${from}`);
      for await (const { wire } of ledger.blocks(logId, from, { maxBytes })) {
        result.bytes += wire.length;
        const step = await take(lies.wire?.(wire.slice()) ?? wire);
        if (step === 'done') return ok(undefined);
        if (step === 'next') return err(fault('no-holder', 'nobody is left'));
      }
      return err(fault('no-holder', 'there is no more'));
    },
  };
  const result: Served = { asked, bytes: 0, source };
  return result;
}

function named(request: ProofRequest): string {
  if (request.kind === 'range') return `range ${request.from}-${request.to}`;
  return request.kind === 'inclusion'
    ? `inclusion ${request.index}`
    : `consistency ${request.from}`;
}

async function prove(ledger: Ledger, request: ProofRequest): Promise<Result<ProofAnswer>> {
  const log = ledger.log(request.logId);
  if (log === undefined) return err(fault('log-unknown', 'not here'));
  const size: TreeSize = request.size === 0 ? log.size : request.size;
  const { logId } = request;
  const hashes =
    request.kind === 'range'
      ? await ledger.proofs.range(logId, request.from, request.to, size)
      : request.kind === 'inclusion'
        ? await ledger.proofs.inclusion(logId, request.index, size)
        : request.from === size
          ? ok([])
          : await ledger.proofs.consistency(logId, request.from, size);
  if (!hashes.ok) return hashes;
  const root = must(await ledger.proofs.rangeRoot(logId, asLogIndex(0), asLogIndex(size)));
  return ok({
    size,
    root,
    checkpoint: size === log.size ? log.checkpoint : '',
    hashes: hashes.value,
  });
}
