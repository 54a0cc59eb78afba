/** What was delivered, gathered from accounts for people. */
import type { DeliveryWay } from '../../gossip/usage-port.ts';
import { asPeerId, type Did, type LogId, type StreamName } from '../../types.ts';
import type { DeliveredView, ReaderView, UsageApi, UsageByPeer, UsageView } from '../usage-api.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import { didFromKey } from '../../ids.ts';
import { nameOf, type About, type Account } from './account.ts';
import { totalsOf, type Piece } from './pieces.ts';
import { isContent, type UsageBook } from './usage-book.ts';

export interface UsageViewParts {
  readonly book: UsageBook;
  /** A grant that this home has given. */
  readonly isGiven: (grant: string) => boolean;
  /** Of a grant that the holder of one of ours has made of it: that one, and who may read by it. */
  readonly madeOf: (grant: string) => { readonly given: string; readonly holder: Did } | undefined;
  /** Deliveries of a log that the journal has, the newest first, as many as are looked at. */
  readonly journaled: (
    log: LogId,
  ) => AsyncIterable<{ readonly about: About; readonly piece: Piece }>;
  readonly nameOf: (did: Did) => string | undefined;
  readonly streamName: (owner: Did, stream: StreamName) => string;
  /** What its blocks hold is ciphertext. */
  readonly isSealed?: ((owner: Did, stream: StreamName) => boolean) | undefined;
}

export class UsageViews implements UsageApi {
  readonly #parts: UsageViewParts;

  constructor(parts: UsageViewParts) {
    this.#parts = parts;
  }

  ofGrant(id: string): UsageView | undefined {
    const { book, madeOf } = this.#parts;
    const made = madeOf(id);
    const accounts = [...book.ofGrant(made?.given ?? id)];
    if (made === undefined) return this.#view(accounts);
    // What a holder made of ours is known by who reads by it.
    return this.#view(
      accounts.filter(({ about: { organisation, peer } }) => {
        return organisation === made.holder || didOf(peer) === made.holder;
      }),
    );
  }

  readers(): readonly ReaderView[] {
    const { book, isGiven, streamName, isSealed } = this.#parts;
    const others = [...book.all()].filter(
      ({ about: { grant } }) => grant === undefined || !isGiven(grant),
    );
    const groups = Map.groupBy(others, ({ about: { owner, stream, organisation, grant } }) =>
      [owner, stream, organisation, grant].join(' '),
    );
    return [...groups.values()].flatMap((accounts) => {
      const [first] = accounts;
      const view = this.#view(accounts);
      if (first === undefined || view === undefined) return [];
      const { owner, stream, organisation, grant } = first.about;
      const named = { ...this.#who(organisation), ...(grant === undefined ? {} : { grant }) };
      const sealed = isSealed?.(owner, stream) === true ? { sealed: true as const } : {};
      return [{ stream: streamName(owner, stream), owner, ...sealed, ...named, ...view }];
    });
  }

  ofEntry(log: LogId, index: number): readonly DeliveredView[] {
    const accounts = [...this.#parts.book.ofLog(log)];
    return newestFirst(accounts.flatMap((account) => this.#holding(account, index)));
  }

  async deliveriesOf(log: LogId, index: number): Promise<readonly DeliveredView[]> {
    const { book, journaled } = this.#parts;
    const exact = new Map<string, DeliveredView[]>();
    const add = (about: About, piece: Piece): void => {
      if (!holds(about, piece, index)) return;
      const key = nameOf(about);
      exact.set(key, [...(exact.get(key) ?? []), this.#delivered(about, piece)]);
    };
    for (const account of book.ofLog(log)) {
      for (const piece of [...account.writing, ...account.open.list()]) add(account.about, piece);
    }
    for await (const { about, piece } of journaled(log)) add(about, piece);
    // What the journal does not reach is known by its ends.
    const rest = [...book.ofLog(log)].filter(({ about }) => !exact.has(nameOf(about)));
    const known = rest.flatMap((account) => this.#holding(account, index));
    return newestFirst([...[...exact.values()].flat(), ...known]);
  }

  #holding(account: Account, index: number): readonly DeliveredView[] {
    const { about } = account;
    const pieces = this.#parts.book.pieces(account).filter((piece) => holds(about, piece, index));
    return pieces.map((piece) => this.#delivered(about, piece));
  }

  #delivered({ way, organisation, peer, grant }: About, piece: Piece): DeliveredView {
    return {
      ...this.#who(organisation),
      ...(peer === undefined ? {} : { peer }),
      way,
      ...(grant === undefined ? {} : { grant }),
      first: piece.first,
      last: piece.last,
      ...(piece.gaps ? { gaps: true } : {}),
    };
  }

  #view(accounts: readonly Account[]): UsageView | undefined {
    const { book } = this.#parts;
    const counted = accounts.map((account) => ({ account, pieces: book.pieces(account) }));
    const peers = counted.flatMap(({ account: { about }, pieces }): UsageByPeer[] => {
      const totals = totalsOf(pieces);
      if (totals === undefined) return [];
      const { bytes, first, last } = totals;
      // The same keys again are no more of them.
      const epochs = (): number => pieces.reduce((sum, { from, to }) => sum + to - from, 0);
      const count = about.way === 'keys' ? epochs() : totals.count;
      const by = about.peer === undefined ? {} : { peer: about.peer };
      return [
        { way: about.way, ...this.#who(about.organisation), ...by, count, bytes, first, last },
      ];
    });
    const sums = byPeer(peers).toSorted((a, b) => b.last - a.last);
    const [newest] = sums;
    if (newest === undefined) return undefined;
    return {
      events: sum(sums, isContent, 'count'),
      bytes: sum(sums, isContent, 'bytes'),
      proofs: sum(sums, (way) => way === 'proof', 'count'),
      epochs: sum(sums, (way) => way === 'keys', 'count'),
      first: sums.reduce((least, { first }) => (first < least ? first : least), newest.first),
      last: newest.last,
      peers: sums,
      ranges: counted.flatMap(({ account: { about }, pieces }) =>
        pieces
          .filter(({ from, to }) => from < to)
          .map(({ from, to, gaps }) => ({
            log: about.logId,
            way: about.way,
            from,
            to,
            ...(gaps ? { gaps } : {}),
          })),
      ),
    };
  }

  #who(organisation: Did | undefined): {
    readonly organisation?: Did;
    readonly organisationName?: string;
  } {
    if (organisation === undefined) return {};
    const organisationName = this.#parts.nameOf(organisation);
    return { organisation, ...(organisationName === undefined ? {} : { organisationName }) };
  }
}

/** Content that holds the entry, or keys of its log. */
function holds({ way }: About, { from, to }: Piece, index: number): boolean {
  return way === 'keys' || (way !== 'proof' && index >= from && index < to);
}

function newestFirst(found: readonly DeliveredView[]): readonly DeliveredView[] {
  return found.toSorted((a, b) => b.last - a.last);
}

/** Accounts of the same peer in several logs, as one. */
function byPeer(accounts: readonly UsageByPeer[]): readonly UsageByPeer[] {
  const groups = Map.groupBy(accounts, ({ way, organisation, peer }) =>
    [way, organisation, peer].join(' '),
  );
  return [...groups.values()].flatMap((group) => {
    const [head, ...others] = group;
    if (head === undefined) return [];
    return [
      others.reduce<UsageByPeer>(
        (all, one) => ({
          ...all,
          count: all.count + one.count,
          bytes: all.bytes + one.bytes,
          first: one.first < all.first ? one.first : all.first,
          last: one.last > all.last ? one.last : all.last,
        }),
        head,
      ),
    ];
  });
}

function sum(
  peers: readonly UsageByPeer[],
  which: (way: DeliveryWay) => boolean,
  what: 'count' | 'bytes',
): number {
  return peers.reduce((total, one) => total + (which(one.way) ? one[what] : 0), 0);
}

function didOf(peer: string | undefined): Did | undefined {
  const key = peer === undefined ? undefined : peerKey(asPeerId(peer));
  return key === undefined ? undefined : didFromKey(key);
}
