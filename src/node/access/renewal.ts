/**
 * Grants that end (access.md "Self-service"): asking for a new one in time, by a request that names the one
 * it is to follow, and telling the end of each in the journal. The old one stays valid until its end; the
 * reader uses whichever reaches further.
 */
import { toHex } from '../../bytes.ts';
import { decodeDelegation } from '../../access/ucan-delegation.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did, StreamName, TimeMs } from '../../types.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import type { Check } from '../node-api.ts';
import type { AccessGate } from './access-gate.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';
import type { KeptRequest, RequestBook } from './request-book.ts';

export interface RenewalParts {
  readonly organisation: Did;
  readonly peer: Did;
  /** For whom a grant is asked: the organisation where its key is at hand, else the peer. */
  readonly audience: Did;
  readonly host: Pick<Host, 'clock' | 'random'>;
  readonly limits: { readonly accessRenewMs: number; readonly maxRequestAgeMs: number };
  readonly journal: Pick<Journal, 'record'>;
  readonly grants: GrantBook;
  readonly requests: RequestBook;
  readonly gate: () => Pick<AccessGate, 'best' | 'isRevoked'>;
  /** What is kept here. */
  readonly logs: () => readonly {
    readonly genesis: { readonly owner: Did; readonly name: StreamName } | undefined;
  }[];
  readonly ask: (request: KeptRequest) => Promise<void>;
  readonly nameOf: (owner: Did, stream: string) => string;
}

/** Ends that are written down in one look: the rest comes with the next. */
const maxEndsTold = 64;

export class Renewal {
  readonly #parts: RenewalParts;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /**
   * A request for a new grant in the place of one that we hold; the same again while it is open. Codes:
   * grant-holder (it was given here, or handed on by somebody between), those of the store.
   */
  async renew(
    kept: KeptGrant,
    input: { readonly seconds?: number; readonly purpose?: string },
  ): Promise<Result<KeptRequest>> {
    const { requests, host, organisation, audience } = this.#parts;
    const first = kept.side === 'got' ? this.#fromOwner(kept) : undefined;
    if (first === undefined) return err(kept.side === 'got' ? handedOn : notHeld);
    const open = this.#request(kept);
    if (open?.state === 'pending') return ok(open);
    const { owner, stream, expires } = kept.scope;
    const life = expires === undefined ? 0 : Math.max(60, Math.round(expires - kept.since / 1000));
    const made = await requests.put({
      side: 'out',
      id: toHex(host.random.bytes(16)),
      owner,
      stream,
      purpose: input.purpose ?? kept.scope.purpose ?? 'renewal',
      seconds: input.seconds ?? life,
      organisation,
      audience,
      since: host.clock.now(),
      state: 'pending',
      reason: '',
      grant: '',
      grantId: '',
      renews: first,
    });
    if (made.ok) await this.#parts.ask(made.value);
    return made;
  }

  /** Asks for what ends soon and was not asked for, and tells what has ended. */
  async look(): Promise<void> {
    for (const kept of this.#ending()) {
      if (this.#fromOwner(kept) === undefined || this.#request(kept) !== undefined) continue;
      const made = await this.renew(kept, {});
      if (made.ok) this.#tell(kept, 'renewal', { request: made.value.id });
    }
    await this.#tellEnds();
  }

  findings(): readonly Omit<Check, 'since'>[] {
    const now = this.#parts.host.clock.now();
    const ended = [...this.#ended()].map((kept) => this.#endOf(kept));
    const ending = [...this.#ending()].map((kept) => {
      const { owner, stream, expires = 0, id } = kept.scope;
      const minutes = Math.max(1, Math.round((expires * 1000 - now) / 60_000));
      const left = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
      const request = this.#request(kept);
      const asked =
        request === undefined
          ? 'nothing was asked for'
          : `the request to renew it is ${request.state}`;
      return {
        name: `end of the grant of ${this.#parts.nameOf(owner, stream)}`,
        ok: false,
        level: 'warning' as const,
        reason: `it ends in ${left}, and ${asked}`,
        hint: `hw grant renew ${id.slice(-8)} asks its owner for a new one.`,
      };
    });
    return [...ending, ...ended];
  }

  /** Streams that are still followed and for which there is no grant any more: the newest of each. */
  *#ended(): Generator<KeptGrant> {
    const { grants, gate, logs, host } = this.#parts;
    const newest = new Map<string, KeptGrant>();
    for (const kept of grants.got()) {
      const name = `${kept.scope.owner}/${kept.scope.stream}`;
      if ((newest.get(name)?.since ?? 0) <= kept.since) newest.set(name, kept);
    }
    const seconds = host.clock.now() / 1000;
    for (const kept of newest.values()) {
      const { owner, stream, notBefore = 0 } = kept.scope;
      const followed = logs().some(
        ({ genesis }) => genesis?.owner === owner && genesis.name === stream,
      );
      const waits = notBefore > seconds;
      if (followed && !waits && gate().best({ owner, name: stream }) === undefined) yield kept;
    }
  }

  #endOf(kept: KeptGrant): Omit<Check, 'since'> {
    const { owner, stream } = kept.scope;
    const name = this.#parts.nameOf(owner, stream);
    const how = this.#parts.gate().isRevoked(kept) ? 'was revoked' : 'has ended';
    return {
      name: `end of the grant of ${name}`,
      ok: false,
      level: 'warning',
      reason: `it ${how}: nothing more comes`,
      hint: `hw grant request ${name} asks for another one; hw unfollow ${name} lets it go.`,
    };
  }

  /** Of each stream that we read by a grant the one that is in use, where it ends soon. */
  *#ending(): Generator<KeptGrant> {
    const { grants, gate, host, limits } = this.#parts;
    const now = host.clock.now();
    for (const kept of grants.got()) {
      const { owner, stream, expires } = kept.scope;
      if (expires === undefined || expires * 1000 <= now) continue;
      const third = (expires * 1000 - kept.since) / 3;
      if (now < expires * 1000 - Math.min(third, limits.accessRenewMs)) continue;
      if (gate().best({ owner, name: stream })?.scope.id === kept.scope.id) yield kept;
    }
  }

  /** Whether the end of a grant was told is kept with it, so a restart tells none twice. */
  async #tellEnds(): Promise<void> {
    const { grants, host, limits } = this.#parts;
    const now: TimeMs = host.clock.now();
    const oldest = now - limits.maxRequestAgeMs;
    let told = 0;
    for (const kept of grants.all()) {
      const end = (kept.scope.expires ?? Infinity) * 1000;
      if (end > now || end < oldest || kept.ended !== undefined) continue;
      if (told++ === maxEndsTold) return;
      const stored = await grants.ended(kept, now);
      if (stored.ok) this.#tell(kept, 'expired', {});
    }
  }

  /** The newest request for a follower of this grant. */
  #request(kept: KeptGrant): KeptRequest | undefined {
    const first = this.#fromOwner(kept);
    if (first === undefined) return undefined;
    return this.#parts.requests.all('out').findLast(({ renews }) => renews === first);
  }

  /** The id that the owner knows it by; undefined where it came through somebody else. */
  #fromOwner({ tokens, scope }: KeptGrant): string | undefined {
    const us = new Set<Did>([this.#parts.organisation, this.#parts.peer]);
    // The owner's leave to its own peer comes first, then the grant, then our own links.
    for (const [i, token] of tokens.entries()) {
      const link = decodeDelegation(token);
      if (!link.ok) return undefined;
      if (us.has(link.value.audience)) return tokenCid(nodeCrypto, token);
      if (i > 0 || link.value.issuer !== scope.owner) return undefined;
    }
    return undefined;
  }

  #tell({ scope, side }: KeptGrant, step: string, more: Readonly<Record<string, string>>): void {
    const subject = this.#parts.nameOf(scope.owner, scope.stream);
    const data = { step, grant: scope.id, side, holder: scope.holder, ...more };
    this.#parts.journal.record({ type: journalTypes.access, subject, data });
  }
}

const notHeld = fault(
  'grant-holder',
  'this grant was given here: its holder asks for a new one',
  undefined,
  'hw grant create STREAM --to … gives another one.',
);
const handedOn = fault(
  'grant-holder',
  'this grant was handed on by somebody who is not its owner',
  undefined,
  'Ask who handed it on for a new one; hw grant import takes it.',
);
