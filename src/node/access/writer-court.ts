/**
 * Writers that were revoked, as the registries of their owners say: each log whose genesis was let in by
 * a delegation that was taken back ends at its last good entry (ledger/log-ends.ts). The word counts for
 * logs of the registry's owner only, and only of who issued a link of their proof. A log that is not named
 * has no good entry that anybody vouches for: it goes no further than it is here.
 */
import { decodeChain } from '../../access/ucan-chain.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import type { Revocation } from '../../access/ucan-revocations.ts';
import type { Hasher } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Identities } from '../../identities.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { LogEnds } from '../../ledger/log-ends.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { limits } from '../../limits.ts';
import { asTreeSize, type Did, type LogId } from '../../types.ts';
import type { LastGood } from '../core/cards.ts';

export interface CourtParts {
  readonly hasher: Hasher;
  readonly ledger: {
    logs(): readonly LogSummary[];
    log(logId: LogId): LogSummary | undefined;
    onAppended(
      listener: (block: { readonly logId: LogId; readonly firstIndex: number }) => void,
    ): Disposable;
    readonly ends: Pick<LogEnds, 'end' | 'onEnded'>;
    readonly identities: Identities;
  };
  readonly track: (work: Promise<unknown>) => void;
  readonly warn: (subject: string, problem: Fault) => void;
}

/** One delegation that was taken back. */
interface Taken {
  readonly owner: Did;
  readonly revoker: Did;
  readonly said: string;
  readonly last: ReadonlyMap<LogId, number>;
}

/** Who let a log be written: CIDs and issuers of its proof. */
interface Proven {
  readonly cids: readonly string[];
  readonly issuers: readonly Did[];
}

export class WriterCourt implements Disposable {
  readonly #parts: CourtParts;
  readonly #taken = new Map<string, readonly Taken[]>();
  readonly #proven = new WeakMap<Genesis, Proven>();
  readonly #owned = new DisposableStack();

  constructor(parts: CourtParts) {
    this.#parts = parts;
    const { ledger, warn } = parts;
    this.#owned.use(ledger.ends.onEnded((logId, reason) => warn(`hw:${logId}`, reason)));
    this.#owned.use(
      ledger.onAppended(({ logId, firstIndex }) => {
        const log = firstIndex === 0 && this.#taken.size > 0 ? ledger.log(logId) : undefined;
        if (log !== undefined) this.#judge(log);
      }),
    );
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }

  /** What the registry of `owner` says of a delegation of `/flow/write`. */
  take(owner: Did, { ucan, revoker }: Revocation, logs: readonly LastGood[]): void {
    const before = this.#taken.get(ucan) ?? [];
    const said = logs.map(({ log, last }) => `${log} ${last}`).join();
    // A registry is read again when a thief's part of it is set aside.
    const isSame = (one: Taken): boolean =>
      one.owner === owner && one.revoker === revoker && one.said === said;
    if (before.some(isSame)) return;
    if (before.length >= limits.maxSuccessors || this.#taken.size >= limits.maxRevocations) {
      const message = 'too many writers were revoked';
      this.#parts.warn(`writer ${ucan}`, fault('revocations-full', message));
      return;
    }
    const last = new Map(logs.map((one) => [one.log, one.last]));
    this.#taken.set(ucan, [...before, { owner, revoker, said, last }]);
    for (const log of this.#parts.ledger.logs()) this.#judge(log);
  }

  /** Logs that a delegation with this CID, or one to this key, let be written. */
  of(audience: Did): ReadonlyMap<string, readonly LogSummary[]> {
    const found = new Map<string, LogSummary[]>();
    for (const log of this.#parts.ledger.logs()) {
      const chain = decodeChain(log.genesis?.proof ?? []);
      const at = chain.ok ? chain.value.findIndex((link) => link.audience === audience) : -1;
      const cid = log.genesis === undefined ? undefined : this.#proofOf(log.genesis).cids[at];
      if (cid === undefined) continue;
      const logs = found.get(cid);
      if (logs === undefined) found.set(cid, [log]);
      else logs.push(log);
    }
    return found;
  }

  #judge(log: LogSummary): void {
    const { genesis, logId, size } = log;
    if (genesis === undefined) return;
    const { identities, ends } = this.#parts.ledger;
    const { cids, issuers } = this.#proofOf(genesis);
    for (const cid of cids) {
      for (const { owner, revoker, last } of this.#taken.get(cid) ?? []) {
        const names = identities.all(genesis.owner);
        if (!names.includes(owner) || !issuers.includes(revoker)) continue;
        const good = last.get(logId);
        const end = asTreeSize(good === undefined ? size : good + 1);
        this.#parts.track(this.#end(logId, end, ends));
      }
    }
  }

  async #end(
    logId: LogId,
    end: ReturnType<typeof asTreeSize>,
    ends: CourtParts['ledger']['ends'],
  ): Promise<void> {
    const done = await ends.end(logId, end);
    if (!done.ok) this.#parts.warn(`hw:${logId}`, done.error);
  }

  #proofOf(genesis: Genesis): Proven {
    const known = this.#proven.get(genesis);
    if (known !== undefined) return known;
    const chain = decodeChain(genesis.proof);
    const proven = {
      cids: genesis.proof.map((token) => tokenCid(this.#parts.hasher, token)),
      issuers: chain.ok ? chain.value.map(({ issuer }) => issuer) : [],
    };
    this.#proven.set(genesis, proven);
    return proven;
  }
}
