/**
 * Epoch keys for the holders of grants (access.md "Sealed streams"): who asks is judged by `may` as for
 * everything else, and gets the keys of exactly the epochs that his grant reaches, sealed to the key in
 * the profile of the organisation that its connection has proved. He has no say in where they go.
 */
import { sealDelivery, type EpochRange, type KeyDelivery } from '../../access/key-delivery.ts';
import type { Decision, Permit } from '../../access/may.ts';
import { nodeCipher } from '../../cipher-node.ts';
import type { Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AskKeys, KeysAnswer } from '../../gossip/access-codec.ts';
import type { Asker } from '../../gossip/access-port.ts';
import { unknownLog } from '../../gossip/admission.ts';
import type { PortGenesis } from '../../gossip/ledger-port.ts';
import type { Clock, Random } from '../../host.ts';
import { logIdHash } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type Did, type LogId, type LogIndex, type TimeMs } from '../../types.ts';
import { nodesOf, planKeys, type GrantReach } from './key-plan.ts';
import type { Leases } from './leases.ts';
import type { OwnKeys } from './own-keys.ts';

export interface GivingLedger {
  log(logId: LogId): LogSummary | undefined;
  epochs(logId: LogId): Promise<Result<readonly OpenedEpoch[]>>;
  indexAtTime(logId: LogId, time: TimeMs): Promise<Result<LogIndex>>;
}

export interface GivingParts {
  readonly ledger: GivingLedger;
  readonly own: Pick<OwnKeys, 'held'>;
  readonly leases: Leases;
  /** The gate's, for epoch keys. */
  readonly may: (genesis: PortGenesis, grant: Uint8Array, asker: Asker) => Decision;
  readonly ended: (permit: Permit) => Fault | undefined;
  /** 32 bytes out of the organisation's profile; undefined where there is none. */
  readonly encryptionKey: (organisation: Did) => Uint8Array | undefined;
  /** Length of an epoch where they are cut by time. */
  readonly epochMs: (logId: LogId) => Promise<Result<number | undefined>>;
  /** The peer key. */
  readonly signer: Signer;
  readonly random: Random;
  readonly clock: Pick<Clock, 'now'>;
  readonly limits: { readonly keyLeaseEpochs: number };
  /** Keys leave for a reader. */
  readonly onGiven: (given: Given) => void;
}

export interface Given {
  readonly log: LogId;
  readonly permit: Permit;
  readonly asker: Asker;
  readonly grant: string;
  readonly ranges: readonly EpochRange[];
  readonly bytes: number;
}

interface Asked {
  readonly log: LogId;
  readonly permit: Permit;
  readonly opened: readonly OpenedEpoch[];
}

export class KeyGiving {
  readonly #parts: GivingParts;

  constructor(parts: GivingParts) {
    this.#parts = parts;
  }

  /**
   * A page of deliveries. Codes: those of `may` to who may know why, else log-unknown; keys-not-here,
   * keys-recipient; those of ledger and store.
   */
  async keys({ log, from, grant }: AskKeys, asker: Asker): Promise<Result<KeysAnswer>> {
    const { ledger, own, may, ended, encryptionKey } = this.#parts;
    const genesis = ledger.log(log)?.genesis;
    if (genesis === undefined) return err(unknownLog);
    const decision = may(genesis, grant, asker);
    if (decision.kind === 'deny') return err(decision.told ? decision.reason : unknownLog);
    const { permit } = decision;
    if (permit === undefined) return err(unknownLog); // keys are never open to everybody
    const recipient = encryptionKey(asker.organisation);
    if (recipient === undefined) return err(unknownRecipient);
    const opened = await ledger.epochs(log);
    if (!opened.ok) return opened;
    const absent = own.held(log).length === 0;
    if (absent && opened.value.length > 0) return err(elsewhere);
    const asked = { log, permit, opened: opened.value };
    const planned = await this.#plan(asked);
    if (!planned.ok) return planned;
    const page = this.#seal(asked, cutFrom(planned.value, from), recipient);
    if (!page.ok) return page;
    const leased = await this.#lease(asked, page.value.deliveries);
    if (!leased.ok) return leased;
    // A revocation may have come while the disk was asked.
    const over = ended(permit);
    if (over !== undefined) return err(over);
    this.#tell(asked, asker, page.value);
    return page;
  }

  async #plan({ log, permit, opened }: Asked): Promise<Result<readonly EpochRange[]>> {
    const { ledger, clock, epochMs, limits } = this.#parts;
    const { from, to } = permit.args;
    const now = clock.now();
    const head = ledger.log(log);
    const fromIndex = from === 0 ? ok(0) : await ledger.indexAtTime(log, asTimeMs(from));
    if (!fromIndex.ok) return fromIndex;
    const size = Number(head?.size ?? 0);
    const toIndex = to === undefined ? ok(size) : await ledger.indexAtTime(log, asTimeMs(to));
    if (!toIndex.ok) return toIndex;
    const reach: GrantReach = {
      fromIndex: fromIndex.value,
      toIndex: toIndex.value,
      begun: from <= now || fromIndex.value < size,
      ended: to !== undefined && to <= now,
      endMs: endOf(permit),
    };
    const length = await epochMs(log);
    if (!length.ok) return length;
    const lease = { epochMs: length.value, maxEpochs: limits.keyLeaseEpochs };
    return ok(planKeys(opened, reach, lease));
  }

  #seal(
    { log, permit }: Asked,
    ranges: readonly EpochRange[],
    recipient: Uint8Array,
  ): Result<KeysAnswer> {
    const { own, signer, random } = this.#parts;
    const place = { log: logIdHash(log), grant: grantOf(permit) };
    const held = new Map(own.held(log).map(({ generation, nodes }) => [generation, nodes]));
    const deliveries: KeyDelivery[] = [];
    for (const range of ranges) {
      for (let { from } = range; from < range.to;) {
        if (deliveries.length === protocol.maxKeyDeliveries)
          return ok({ kind: 'keys', next: from, deliveries });
        const nodes = held.get(range.generation) ?? [];
        const piece = nodesOf(nodeCipher, nodes, { ...range, from }, protocol.maxKeyNodes);
        const about = { generation: range.generation, from, to: piece.to };
        const ports = { cipher: nodeCipher, signer, ikm: random.bytes(32) };
        const sealed = sealDelivery(ports, recipient, place, about, piece.nodes);
        if (!sealed.ok) return sealed;
        deliveries.push(sealed.value);
        from = piece.to;
      }
    }
    return ok({ kind: 'keys', next: undefined, deliveries });
  }

  /** What goes beyond the open epoch for a grant that ends is written down first. */
  async #lease(
    { log, permit, opened }: Asked,
    deliveries: readonly KeyDelivery[],
  ): Promise<Result<void>> {
    const [open, endMs] = [opened.at(-1), endOf(permit)];
    const to = deliveries.at(-1)?.to ?? 0;
    if (open === undefined || endMs === undefined || to <= open.epoch + 1) return ok(undefined);
    return this.#parts.leases.lease(log, open.epoch, { endMs, to });
  }

  #tell({ log, permit }: Asked, asker: Asker, { deliveries }: KeysAnswer): void {
    if (deliveries.length === 0) return;
    const ranges = deliveries.map(({ generation, from, to }) => ({ generation, from, to }));
    const bytes = deliveries.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0);
    this.#parts.onGiven({ log, permit, asker, grant: grantOf(permit), ranges, bytes });
  }
}

/** What is left of the ranges from an epoch on. */
function cutFrom(ranges: readonly EpochRange[], from: number): readonly EpochRange[] {
  return ranges
    .filter(({ to }) => to > from)
    .map((range) => ({ ...range, from: Math.max(from, range.from) }));
}

/** When nothing more may be read with the permit, in ms; undefined: never. */
function endOf({ args, untilMs }: Permit): number | undefined {
  const end = Math.min(args.to ?? Number.MAX_SAFE_INTEGER, untilMs);
  return end === Number.MAX_SAFE_INTEGER ? undefined : end;
}

function grantOf({ cids }: Permit): string {
  return cids.at(-1) ?? '';
}

const elsewhere = fault('keys-not-here', 'the keys of this log are with the peer that writes it');
const unknownRecipient = fault(
  'keys-recipient',
  'the profile of your organisation names no encryption key that is known here',
);
