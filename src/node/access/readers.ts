/**
 * Who reads through whom (access.md "Self-service"): the first time that a reader shows a chain which a
 * holder of our grant has made longer, what was handed on is kept, so that `hw grant list` names it and
 * `hw grant revoke` can end it by itself.
 */
import { orderGrant } from '../../access/grant.ts';
import type { Permit } from '../../access/may.ts';
import { decodeContainer } from '../../access/ucan-container.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import type { Hasher } from '../../crypto.ts';
import type { Asker } from '../../gossip/access-port.ts';
import type { TimeMs } from '../../types.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';

export interface ReaderParts {
  readonly grants: GrantBook;
  readonly hasher: Hasher;
  readonly now: () => TimeMs;
  readonly limits: { readonly maxGrantsThrough: number };
  readonly track: (work: Promise<unknown>) => void;
  /** What was handed on is used for the first time. */
  readonly onFirst: (kept: KeptGrant, asker: Asker) => void;
}

export class Readers {
  readonly #parts: ReaderParts;
  /** Last links that were looked at: few, since each belongs to a peer that reads. */
  readonly #seen = new Set<string>();
  #kept = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    for (const { side } of parts.grants.all()) if (side === 'through') this.#kept += 1;
  }

  /** A read was allowed. */
  allowed({ chain, cids }: Permit, asker: Asker, grant: Uint8Array): void {
    const last = cids.at(-1);
    if (last === undefined || this.#seen.has(last)) return;
    const { maxGrantsThrough } = this.#parts.limits;
    if (this.#seen.size >= maxGrantsThrough) this.#seen.clear();
    this.#seen.add(last);
    const given = cids.findIndex((cid) => this.#parts.grants.get(cid)?.side === 'given');
    if (given < 0 || given === cids.length - 1) return;
    // Its own organisation reads it: that needs no telling.
    const within = this.#parts.grants.get(cids[given] ?? '')?.scope.within;
    if ([chain[given]?.audience, within].includes(asker.organisation)) return;
    // Up to the link that lets the reader's organisation in; what that gives its own peers is its own.
    const found = chain.findIndex((link, i) => i > given && link.audience === asker.organisation);
    const end = found < 0 ? cids.length - 1 : found;
    if (this.#parts.grants.get(cids[end] ?? '') !== undefined) return;
    if (this.#kept >= maxGrantsThrough) return;
    this.#kept += 1;
    this.#parts.track(this.#keep(cids.slice(0, end + 1), grant, asker));
  }

  async #keep(cids: readonly string[], shown: Uint8Array, asker: Asker): Promise<void> {
    const { grants, hasher, now, onFirst } = this.#parts;
    const tokens = decodeContainer(shown);
    const part = (tokens.ok ? tokens.value : []).filter((token) =>
      cids.includes(tokenCid(hasher, token)),
    );
    const grant = orderGrant(hasher, part);
    const kept = grant.ok ? await grants.keep('through', grant.value, now()) : grant;
    if (kept.ok) onFirst(kept.value, asker);
    else this.#kept -= 1;
  }
}
