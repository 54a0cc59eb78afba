/**
 * Puts the delivery of epoch keys together: what is given to the holders of our grants, what is asked for
 * with the grants that we hold, and the generations that begin when one is taken back.
 */
import { parseEncryptionKey } from '../../access/encryption-key.ts';
import type { KeyDelivery } from '../../access/key-delivery.ts';
import { toBase64url } from '../../bytes.ts';
import { encodeCbor } from '../../cbor.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import type { UsagePort } from '../../gossip/usage-port.ts';
import { didFromKey } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId, StreamName } from '../../types.ts';
import type { AccessGate } from '../access/access-gate.ts';
import type { GrantBook, KeptGrant } from '../access/grant-book.ts';
import type { RevocationBook } from '../access/revocation-book.ts';
import type { Views } from '../access/views.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import type { Registries } from '../core/registries.ts';
import type { Home } from '../home.ts';
import type { Runtime } from '../runtime.ts';
import { epochLength, Generations } from './generations.ts';
import { HandedOut } from './handed-out.ts';
import { KeyAsking, type WrongKeys } from './key-asking.ts';
import { KeyGiving, type Given } from './key-giving.ts';
import { waitForKeys } from './key-wait.ts';
import { kinGrants } from './kin-keys.ts';
import { Leases } from './leases.ts';
import type { SealedRoom } from './sealed-room.ts';

export interface KeysRoomParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly sealed: SealedRoom;
  readonly registries: Pick<Registries, 'profile'>;
  readonly journal: Journal;
  readonly grants: GrantBook;
  readonly revocations: RevocationBook;
  readonly gate: () => AccessGate;
  readonly exchange: () => AccessExchange | undefined;
  /** Told of what leaves. */
  readonly usage: UsagePort;
  readonly answered: (kept: KeptGrant, refusal: Fault | undefined) => void;
  readonly nameOf: Views['nameOf'];
  readonly track: (work: Promise<unknown>) => void;
  readonly warn: (subject: string, problem: Fault) => void;
}

export class KeysRoom implements Disposable {
  readonly giving: KeyGiving;
  readonly #parts: KeysRoomParts;
  readonly #asking: KeyAsking;
  readonly #generations: Generations;
  readonly #owned = new DisposableStack();
  readonly #handedOut: HandedOut;
  /** How far each reader was told of in the journal, by log and grant. */
  readonly #told = new Map<string, number>();

  private constructor(parts: KeysRoomParts, leases: Leases) {
    this.#parts = parts;
    const { organisation } = parts.home.identity;
    this.#handedOut = new HandedOut({ ...parts, organisation, limits: parts.home.config.limits });
    this.giving = this.#openGiving(leases);
    this.#asking = this.#openAsking();
    const { ledger, runtime, track, warn, journal, revocations } = parts;
    this.#generations = this.#owned.use(
      new Generations({
        ledger,
        leases,
        host: runtime,
        track,
        warn,
        onBegun: (log, { epoch, generation }) => {
          const subject = ledger.log(log)?.genesis?.name ?? `hw:${log}`;
          const data = { step: 'new generation', log, epoch, generation };
          journal.record({ type: journalTypes.access, subject, data });
        },
      }),
    );
    const { sealed } = parts;
    sealed.waitFor(
      waitForKeys({
        got: sealed.got,
        keyFor: (log, opening) => sealed.keyFor(log, opening),
        expects: (log, opening) => this.#asking.expects(log, opening),
        timers: runtime.timers,
        limits: parts.home.config.limits,
      }),
    );
    this.#owned.use(
      revocations.onTaken((revocation) => {
        this.#generations.revoked(this.#handedOut.streamsOf(revocation));
      }),
    );
    // An epoch opened, perhaps one of a new generation.
    this.#owned.use(
      ledger.onAppended(({ local, controls }) => {
        if (!local && controls) this.wanted();
      }),
    );
  }

  /** Codes: those of the store. */
  static async open(parts: KeysRoomParts): Promise<Result<KeysRoom>> {
    const leases = new Leases(parts.ledger.rows);
    const loaded = await leases.load();
    if (!loaded.ok) return loaded;
    const room = new KeysRoom(parts, leases);
    for (const [log, problem] of parts.sealed.got.damaged) parts.warn(`keys of hw:${log}`, problem);
    // What was due when the process ended is the first that the writers are told.
    room.#generations.look();
    return ok(room);
  }

  /** Looks for what is due and what is lacking; to be called now and then. */
  look(): void {
    this.#generations.look();
    this.#parts.track(this.#asking.look());
  }

  /** There may be keys for us now: a grant came, or a peer of an owner, or an epoch opened. */
  wanted(eager = false): void {
    this.#parts.track(this.#asking.look(eager));
  }

  /** Resolves when the generations that are due have begun, or a log takes too long for it. */
  async settled(): Promise<void> {
    const { runtime, home } = this.#parts;
    const waiting = new AbortController();
    const patience = runtime.timers.sleep(home.config.limits.generationWaitMs, waiting.signal);
    await Promise.race([this.#generations.idle(), patience]);
    waiting.abort();
  }

  /** See `Generations.heldUntil`. */
  heldUntil(stream: StreamName): number | undefined {
    return this.#generations.heldUntil(stream);
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }

  #openGiving(leases: Leases): KeyGiving {
    const { home, runtime, ledger, sealed, registries, gate } = this.#parts;
    return new KeyGiving({
      ledger,
      own: sealed.own,
      leases,
      may: (genesis, grant, asker) => gate().may(genesis, grant, asker, 'keys'),
      ended: (permit) => gate().ended(permit),
      encryptionKey: (organisation) => {
        const text = registries.profile(organisation)?.encryption;
        return text === undefined ? undefined : parseEncryptionKey(text);
      },
      epochMs: (log) => epochLength(ledger, log),
      signer: home.keys.peer,
      random: runtime.random,
      clock: runtime.clock,
      limits: home.config.limits,
      onGiven: (given) => this.#given(given),
    });
  }

  #openAsking(): KeyAsking {
    const { home, runtime, ledger, sealed, grants, gate, exchange } = this.#parts;
    const { answered, journal, nameOf, warn } = this.#parts;
    return new KeyAsking({
      ledger,
      got: sealed.got,
      grants: () => [...grants.got(), ...this.#kin()],
      isRevoked: (kept) => gate().isRevoked(kept),
      show: (kept, peer) => gate().showKept(kept, peer),
      exchange,
      encryption: home.keys.encryption,
      host: runtime,
      limits: home.config.limits,
      answered,
      onGot: (log, { scope }, deliveries) => {
        const ranges = deliveries.filter(({ to }) => this.#isNews(log, scope.id, to));
        if (ranges.length === 0) return;
        const data = { step: 'keys received', log, grant: scope.id, ...rangeOf(deliveries) };
        const subject = nameOf(scope.owner, scope.stream);
        journal.record({ type: journalTypes.access, subject, data });
      },
      onWrong: (log, kept, wrong) => this.#wrong(log, kept, wrong),
      onFault: (problem) => warn('epoch keys', problem),
    });
  }

  /** For what other peers of ours write. */
  #kin(): readonly KeptGrant[] {
    const { home, ledger } = this.#parts;
    const { organisation, peerKey } = home.identity;
    const peer = didFromKey(peerKey);
    return kinGrants(nodeCrypto, ledger.logs(), organisation, peer, home.keyDelegation);
  }

  #given({ log, permit, asker, grant, ranges, bytes }: Given): void {
    const { journal, ledger, usage } = this.#parts;
    const { genesis } = ledger.log(log) ?? {};
    const meter = usage.meter({ logId: log, genesis, ...asker, cids: permit.cids, way: 'keys' });
    for (const [i, { from, to }] of ranges.entries()) {
      meter?.delivered({ from, to, count: to - from, bytes: i === 0 ? bytes : 0 });
    }
    const { stream } = permit.args;
    this.#handedOut.given(permit);
    // What was leased may end before an epoch does.
    this.#generations.look();
    if (!this.#isNews(log, grant, ranges.at(-1)?.to ?? 0)) return;
    const { organisation, peer } = asker;
    const data = { step: 'keys given', log, grant, organisation, peer, ...rangeOf(ranges) };
    journal.record({ type: journalTypes.access, subject: stream, data });
  }

  /** Every step is in the journal, and nobody fills it by asking for the same again. */
  #isNews(log: LogId, grant: string, to: number): boolean {
    const name = `${log} ${grant}`;
    if ((this.#told.get(name) ?? -1) >= to) return false;
    this.#told.delete(name);
    this.#told.set(name, to);
    const oldest = this.#told.keys().next();
    const full = this.#told.size > this.#parts.home.config.limits.maxKeyChains;
    if (full && oldest.done !== true) this.#told.delete(oldest.value);
    return true;
  }

  /** The delivery as it was signed: whoever has the log can see that it is wrong. */
  #wrong(log: LogId, { scope }: KeptGrant, { epoch, peer, delivery }: WrongKeys): void {
    const { journal, nameOf } = this.#parts;
    const { generation, from, to, enc, ciphertext, signature } = delivery;
    const signed = encodeCbor([generation, from, to, enc, ciphertext, signature]);
    journal.record({
      type: journalTypes.security,
      subject: nameOf(scope.owner, scope.stream),
      data: {
        code: 'epoch-key',
        log,
        epoch,
        peer,
        grant: scope.id,
        delivery: toBase64url(signed),
      },
    });
  }
}

function rangeOf(
  ranges: readonly Pick<KeyDelivery, 'from' | 'to'>[],
): Readonly<Record<'from' | 'to', number>> {
  return { from: ranges[0]?.from ?? 0, to: ranges.at(-1)?.to ?? 0 };
}
