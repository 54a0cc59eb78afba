/**
 * Epoch keys that we ask for: of each sealed log that is followed here and each grant of `/flow/key` that
 * we hold for it. Asked at once when a grant is here, when an epoch opens whose key we lack (so also after
 * a new generation), when a peer of the owner is met, and before the keys that are ahead run out; later
 * and later while it is refused. What comes is checked against the log before it is believed.
 */
import type { EncryptionKeys } from '../../access/encryption-key.ts';
import { keyCommand } from '../../access/grant.ts';
import { openDelivery, type KeyDelivery } from '../../access/key-delivery.ts';
import { nodeCipher } from '../../cipher-node.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import type { Host } from '../../host.ts';
import { logIdHash } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId, PeerId } from '../../types.ts';
import type { KeptGrant } from '../access/grant-book.ts';
import type { GotKeys } from './got-keys.ts';
import { firstWrong } from './key-check.ts';

export interface AskingLedger {
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
  epochs(logId: LogId): Promise<Result<readonly OpenedEpoch[]>>;
}

export interface KeyAskingParts {
  readonly ledger: AskingLedger;
  readonly got: GotKeys;
  /** Grants that were made out to us. */
  readonly grants: () => Iterable<KeptGrant>;
  readonly isRevoked: (kept: KeptGrant) => boolean;
  /** What a peer is shown of a grant. */
  readonly show: (kept: KeptGrant, peer: PeerId) => Result<Uint8Array>;
  /** Undefined without a network. */
  readonly exchange: () => Pick<AccessExchange, 'keys'> | undefined;
  /** Undefined in a home that has none: then nothing can be opened. */
  readonly encryption: EncryptionKeys | undefined;
  readonly host: Host;
  readonly limits: {
    readonly keyLeaseEpochs: number;
    readonly accessPollMs: number;
    readonly maxKeyBackoffMs: number;
    readonly maxKeyPages: number;
    readonly maxKeysAhead: number;
  };
  /** What a peer of the owner said last of a grant; undefined: it gave keys. */
  readonly answered: (kept: KeptGrant, refusal: Fault | undefined) => void;
  /** Keys came. */
  readonly onGot: (log: LogId, kept: KeptGrant, deliveries: readonly KeyDelivery[]) => void;
  /** A delivery that its own log contradicts: signed by who sent it. */
  readonly onWrong: (log: LogId, kept: KeptGrant, wrong: WrongKeys) => void;
  /** Keys cannot be written down. */
  readonly onFault: (problem: Fault) => void;
}

export interface WrongKeys {
  readonly epoch: number;
  readonly peer: PeerId;
  readonly delivery: KeyDelivery;
}

type KeyPage = Awaited<ReturnType<AccessExchange['keys']>>;
type AnsweredPage = Extract<KeyPage, { ok: true }>['value'];

/** What is known of one log by one grant. */
interface Standing {
  /** The open epoch when everything was answered last; -1: never. */
  askedAt: number;
  /** Whether the open epoch was given then. */
  reachesOpen: boolean;
  /** The last answer was a refusal. */
  refused: boolean;
  /** One past the last epoch that was given. */
  leasedTo: number;
  /** Monotonic ms before which it is not asked again. */
  restUntilMs: number;
  backoffMs: number;
}

export class KeyAsking {
  readonly #parts: KeyAskingParts;
  readonly #standings = new Map<string, Standing>();
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(parts: KeyAskingParts) {
    this.#parts = parts;
  }

  /** Looks at everything; a call during a look makes one more. `eager`: nothing rests. */
  look(eager = false): Promise<void> {
    if (eager) for (const standing of this.#standings.values()) standing.restUntilMs = 0;
    this.#again = true;
    this.#looking ??= this.#run().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Is the key of this epoch on its way? Not where a peer of the owner has answered without it. */
  expects(log: LogId, { epoch, time }: OpenedEpoch): boolean {
    const summary = this.#parts.ledger.log(log);
    return this.#wanted(summary === undefined ? [] : [summary]).some(({ kept, name }) => {
      const standing = this.#standings.get(name);
      const answered = standing !== undefined && (standing.refused || standing.askedAt >= epoch);
      return !answered && (kept.scope.to === undefined || time < kept.scope.to);
    });
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const wanted = this.#wanted();
      const names = new Set(wanted.map(({ name }) => name));
      for (const name of this.#standings.keys()) {
        if (!names.has(name)) this.#standings.delete(name);
      }
      for (const { log, kept, name } of wanted) await this.#ask(log, kept, this.#standing(name));
    }
  }

  /** Every followed sealed log with each grant for it that can be used. */
  #wanted(logs: readonly LogSummary[] = this.#parts.ledger.logs()): readonly {
    readonly log: LogSummary;
    readonly kept: KeptGrant;
    readonly name: string;
  }[] {
    const { grants, isRevoked, host, encryption } = this.#parts;
    if (encryption === undefined) return [];
    const now = host.clock.now();
    const usable = [...grants()].filter((kept) => {
      const { command, expires = Infinity } = kept.scope;
      return command === keyCommand && expires * 1000 > now && !isRevoked(kept);
    });
    if (usable.length === 0) return [];
    const sealed = logs.filter((log) => {
      return log.genesis?.visibility === 'sealed' && !log.createdLocally;
    });
    return sealed.flatMap((log) =>
      usable
        .filter(({ scope }) => isOf(log, scope))
        .map((kept) => ({ log, kept, name: `${log.logId} ${kept.scope.id}` })),
    );
  }

  #standing(name: string): Standing {
    const { accessPollMs } = this.#parts.limits;
    const fresh = {
      askedAt: -1,
      reachesOpen: false,
      refused: false,
      leasedTo: 0,
      restUntilMs: 0,
      backoffMs: accessPollMs,
    };
    const standing = this.#standings.get(name) ?? fresh;
    this.#standings.set(name, standing);
    return standing;
  }

  async #ask({ logId, genesis }: LogSummary, kept: KeptGrant, standing: Standing): Promise<void> {
    const { ledger, host, limits, exchange } = this.#parts;
    const network = exchange();
    if (genesis === undefined || network === undefined) return;
    const opened = await ledger.epochs(logId);
    const open = opened.ok ? opened.value.at(-1) : undefined;
    if (!opened.ok || open === undefined) return;
    await this.#dropWrong(logId, kept, opened.value, standing);
    const from = this.#from(logId, kept, opened.value, standing);
    if (from === undefined) return;
    const nowMs = host.clock.monotonic();
    // A new epoch is reason enough to ask at once, once.
    const news = open.epoch > standing.askedAt && this.#lacks(logId, open);
    if (nowMs < standing.restUntilMs && !(news && standing.askedAt >= 0 && standing.reachesOpen)) {
      return;
    }
    const done = await this.#fetch(logId, genesis.owner, kept, from, opened.value, standing);
    const gone = !done.ok && done.error.code === 'no-holder';
    standing.refused = !done.ok && !gone;
    if (done.ok && done.value) {
      standing.askedAt = open.epoch;
      standing.reachesOpen = !this.#lacks(logId, open);
    } else if (!done.ok && !gone) standing.reachesOpen = false;
    standing.backoffMs =
      done.ok && (standing.reachesOpen || !done.value)
        ? limits.accessPollMs
        : Math.min(gone ? limits.accessPollMs : standing.backoffMs * 2, limits.maxKeyBackoffMs);
    standing.restUntilMs = host.clock.monotonic() + standing.backoffMs;
    if (!gone) this.#parts.answered(kept, done.ok ? undefined : done.error);
  }

  /** The epoch from which to ask; undefined: there is nothing to ask for now. */
  #from(
    log: LogId,
    { scope }: KeptGrant,
    opened: readonly OpenedEpoch[],
    standing: Standing,
  ): number | undefined {
    const { to = Number.MAX_SAFE_INTEGER, from } = scope;
    const open = opened.at(-1);
    if (open === undefined) return undefined;
    const missing = opened.find(({ epoch, time }, i) => {
      if (epoch <= standing.askedAt || time >= to) return false;
      const next = opened[i + 1]?.time ?? Number.MAX_SAFE_INTEGER;
      return next >= from && this.#lacks(log, opened[i] ?? open);
    });
    if (missing !== undefined) return missing.epoch;
    if (standing.askedAt < 0) return open.epoch;
    if (open.time >= to) return undefined;
    const low = standing.leasedTo - open.epoch - 1 < this.#parts.limits.keyLeaseEpochs / 4;
    if (low && open.epoch > standing.askedAt) return open.epoch;
    return standing.reachesOpen ? undefined : open.epoch;
  }

  #lacks(log: LogId, opening: OpenedEpoch): boolean {
    // What was shredded is nobody's any more.
    return opening.shredded === undefined && this.#parts.got.keyFor(log, opening) === undefined;
  }

  /** The pages from an epoch on; false where there are more, to be asked for next time. */
  async #fetch(
    log: LogId,
    owner: KeptGrant['scope']['owner'],
    kept: KeptGrant,
    from: number,
    opened: readonly OpenedEpoch[],
    standing: Standing,
  ): Promise<Result<boolean>> {
    const { exchange, show, limits } = this.#parts;
    let next: number | undefined = from;
    for (let [last, pages] = [-1, 0]; next !== undefined && next > last; pages++) {
      if (pages === limits.maxKeyPages) return ok(false);
      last = next;
      const page: KeyPage | undefined = await exchange()?.keys(owner, log, next, (peer) =>
        show(kept, peer),
      );
      if (page === undefined) return err(fault('no-holder', 'there is no network'));
      if (!page.ok) return page;
      const { answer, peer }: AnsweredPage = page.value;
      for (const delivery of answer.deliveries) {
        const taken = await this.#take(log, kept, peer, delivery, opened);
        if (!taken.ok) return taken;
        standing.leasedTo = Math.max(standing.leasedTo, delivery.to);
      }
      if (answer.deliveries.length > 0) this.#parts.onGot(log, kept, answer.deliveries);
      next = answer.next;
    }
    return ok(true);
  }

  /** Believes a delivery, or says what is wrong with it. */
  async #take(
    log: LogId,
    kept: KeptGrant,
    peer: PeerId,
    delivery: KeyDelivery,
    opened: readonly OpenedEpoch[],
  ): Promise<Result<void>> {
    const { got, encryption, host, onWrong, onFault, limits } = this.#parts;
    const producer = peerKey(peer);
    if (!opened.some(({ generation }) => generation === delivery.generation)) {
      return ok(undefined); // It is asked for again when its first epoch is here to check it against.
    }
    if (delivery.to > (opened.at(-1)?.epoch ?? 0) + limits.maxKeysAhead) return err(tooFar);
    if (encryption === undefined || producer === undefined) {
      return err(fault('keys-signature', 'a peer without an Ed25519 key'));
    }
    const ports = { cipher: nodeCipher, crypto: nodeCrypto };
    const own = [encryption.current, ...encryption.older];
    const place = { log: logIdHash(log), grant: kept.scope.id };
    const nodes = openDelivery(ports, own, producer, place, delivery);
    if (!nodes.ok) return nodes;
    const epoch = await firstWrong(log, opened, delivery, nodes.value, () => host.timers.sleep(0));
    if (epoch !== undefined) {
      onWrong(log, kept, { epoch, peer, delivery });
      return err(wrongKey(epoch));
    }
    // What a restart would lose is used all the same.
    const stored = await got.add(log, delivery.generation, nodes.value);
    if (!stored.ok) onFault(stored.error);
    return ok(undefined);
  }

  /** Keys that were ahead are checked as their epochs open. */
  async #dropWrong(
    log: LogId,
    kept: KeptGrant,
    opened: readonly OpenedEpoch[],
    standing: Standing,
  ): Promise<void> {
    const { got, onFault } = this.#parts;
    for (const opening of opened.toReversed()) {
      if (opening.epoch <= standing.askedAt) return;
      if (!got.covers(log, opening) || !this.#lacks(log, opening)) continue;
      this.#parts.answered(kept, wrongKey(opening.epoch));
      const dropped = await got.drop(log, opening);
      if (!dropped.ok) onFault(dropped.error);
    }
  }
}

function isOf({ genesis, formerOwner }: LogSummary, scope: KeptGrant['scope']): boolean {
  const owned = genesis?.owner === scope.owner || formerOwner === scope.owner;
  return owned && genesis?.name === scope.stream;
}

const tooFar = fault('keys-payload', 'keys of epochs that are further ahead than anybody leases');

function wrongKey(epoch: number): Fault {
  const message = `the key that was delivered for epoch ${epoch} does not fit the log's check value`;
  return fault('epoch-key', message);
}
