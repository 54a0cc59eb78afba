/**
 * Waiting for an acknowledgement beyond our own disk: `replicated:N` by asking the peers
 * (src/gossip/acks.ts), `witnessed` by watching for a quorum of the stream's own witnesses. Whoever
 * waits holds up nobody else.
 */
import { fromHex } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Acks } from '../../gossip/acks.ts';
import type { Timers } from '../../host.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import { asHash, asTreeSize, type LogId } from '../../types.ts';
import type { Limits } from '../config-schema.ts';
import type { ReceiptView, StreamView } from '../node-api.ts';
import type { AckWanted } from '../witness-api.ts';

export interface AckParts {
  readonly ledger: Ledger;
  readonly timers: Timers;
  readonly limits: Limits;
  /** Undefined in a home without a network. */
  readonly acks: () => Acks | undefined;
}

/** What was reached for one log. */
interface Reached {
  readonly replicated?: number;
  readonly isMet: boolean;
  readonly shortfall?: Fault;
}

export class AckWaiting {
  readonly #parts: AckParts;
  #witnessed = 0;

  constructor(parts: AckParts) {
    this.#parts = parts;
  }

  check(stream: StreamView, wanted: AckWanted): Result<void> {
    if (wanted.kind === 'replicated' && this.#parts.acks() === undefined) {
      return err(fault('network-none', 'there is nobody to replicate to'));
    }
    if (wanted.kind !== 'witnessed') return ok(undefined);
    // Those that a successor has closed take no events any more.
    const open = stream.logs.filter(({ state }) => state !== 'closed');
    const policies = open.map(({ log }) => this.#parts.ledger.cosigned.policy(log));
    if (policies.some((policy) => !policy.ok || policy.value === undefined)) {
      return err(fault('ack-none', `${stream.display} names no witnesses`));
    }
    return ok(undefined);
  }

  async acknowledge(
    receipts: readonly ReceiptView[],
    wanted: AckWanted,
    signal: AbortSignal | undefined,
  ): Promise<readonly ReceiptView[]> {
    if (wanted.kind === 'local' || receipts.length === 0) return receipts;
    const patience = new AbortController();
    const { timers, limits } = this.#parts;
    using _ = timers.after(limits.ackTimeoutMs, () => patience.abort());
    const until =
      signal === undefined ? patience.signal : AbortSignal.any([patience.signal, signal]);
    // The largest checkpoint of each log covers the others of the same call.
    const largest = new Map<LogId, ReceiptView>();
    for (const receipt of receipts) {
      if ((largest.get(receipt.log)?.size ?? -1) < receipt.size) largest.set(receipt.log, receipt);
    }
    const reached = new Map(
      await Promise.all(
        [...largest.values()].map(
          async (receipt) => [receipt.log, await this.#reach(receipt, wanted, until)] as const,
        ),
      ),
    );
    return receipts.map((receipt) => withAck(receipt, wanted, reached.get(receipt.log)));
  }

  #reach(receipt: ReceiptView, wanted: AckWanted, signal: AbortSignal): Promise<Reached> {
    return wanted.kind === 'replicated'
      ? this.#replicated(receipt, wanted.replicas, signal)
      : this.#byWitnesses(receipt, signal);
  }

  async #replicated(receipt: ReceiptView, want: number, signal: AbortSignal): Promise<Reached> {
    const root = fromHex(receipt.root);
    const acks = this.#parts.acks();
    if (acks === undefined || !root.ok)
      return { replicated: 0, isMet: false, shortfall: noNetwork };
    const subject = {
      logId: receipt.log,
      size: asTreeSize(receipt.size),
      root: asHash(root.value),
    };
    const count = await acks.collect(subject, want, signal);
    if (!count.ok) return { replicated: 0, isMet: false, shortfall: count.error };
    if (count.value >= want) return { replicated: count.value, isMet: true };
    const message = `${count.value} of ${want} organisations have said that they hold it`;
    return { replicated: count.value, isMet: false, shortfall: fault('ack-timeout', message) };
  }

  async #byWitnesses({ log, size }: ReceiptView, signal: AbortSignal): Promise<Reached> {
    const { cosigned } = this.#parts.ledger;
    if (this.#witnessed >= this.#parts.limits.maxAckWaiters) {
      return { isMet: false, shortfall: fault('queue-full', 'too many publishes wait') };
    }
    this.#witnessed += 1;
    const isCovered = async (): Promise<boolean> => {
      const covered = await cosigned.covers(log, asTreeSize(size));
      return covered.ok && covered.value;
    };
    try {
      for (;;) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const wake = (): void => resolve();
        using _ = cosigned.onKept((kept) => {
          if (kept.logId === log && kept.size >= size) wake();
        });
        if (await isCovered()) return { isMet: true };
        signal.addEventListener('abort', wake, { once: true });
        if (signal.aborted) wake();
        await promise;
        signal.removeEventListener('abort', wake);
        if (!signal.aborted) continue;
        if (await isCovered()) return { isMet: true };
        const message = 'the witnesses of the stream have not cosigned it in time';
        return { isMet: false, shortfall: fault('ack-timeout', message) };
      }
    } finally {
      this.#witnessed -= 1;
    }
  }
}

const noNetwork = fault('network-none', 'there is nobody to replicate to');

function withAck(
  receipt: ReceiptView,
  wanted: AckWanted,
  reached: Reached | undefined,
): ReceiptView {
  const { replicated, isMet = false, shortfall } = reached ?? {};
  const counted = replicated === undefined ? {} : { replicated };
  if (isMet) {
    const ack = wanted.kind === 'replicated' ? `replicated:${wanted.replicas}` : wanted.kind;
    return { ...receipt, ack, ...counted };
  }
  return { ...receipt, ...counted, ...(shortfall === undefined ? {} : { shortfall }) };
}
