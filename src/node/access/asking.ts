/**
 * What we ask of others: answers to our requests, and the logs of streams that we may read. Asked again
 * and again while it is open, so neither side needs to be up when the other acts.
 */
import { checkGrant, handOn, keyCommand, orderGrant } from '../../access/grant.ts';
import { parseContainer } from '../../access/ucan-container.ts';
import { equal } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import { didFromKey } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did } from '../../types.ts';
import { readDirectCard, type StreamCard } from '../core/cards.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import type { Registries } from '../core/registries.ts';
import type { Home } from '../home.ts';
import type { Check } from '../node-api.ts';
import type { Runtime } from '../runtime.ts';
import type { AccessGate } from './access-gate.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';
import type { KeptRequest, RequestBook } from './request-book.ts';

export interface AskingParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly registries: Registries;
  readonly journal: Journal;
  readonly grants: GrantBook;
  readonly requests: RequestBook;
  readonly gate: () => AccessGate;
  /** Undefined without a network. */
  readonly exchange: () => AccessExchange | undefined;
  /** A card came or changed: what is followed by name is followed by its logs. */
  readonly learned: (card: StreamCard) => Promise<void>;
  readonly nameOf: (owner: Did, stream: string) => string;
  /** A grant of epoch keys came. */
  readonly keysWanted: () => void;
}

export class Asking {
  readonly #parts: AskingParts;
  readonly #problems = new Map<string, Fault>();
  /** When the card of a grant was asked for last, on the monotonic clock. */
  readonly #cardsMs = new Map<string, number>();

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /** Makes the cards that are kept known; before the network is there. */
  start(): void {
    for (const kept of this.#parts.grants.got()) {
      const card =
        kept.card === undefined ? undefined : readDirectCard(kept.scope.owner, kept.card);
      if (card?.ok === true) this.#know(card.value);
    }
  }

  /** Takes what sister peers have handed to us. */
  async takeHanded(): Promise<void> {
    const { exchange, grants, home, journal } = this.#parts;
    for (const text of (await exchange()?.handed(home.identity.organisation)) ?? []) {
      const tokens = parseContainer(text);
      const id = tokens.ok ? lastCid(tokens.value) : undefined;
      if (!tokens.ok || id === undefined || grants.get(id) !== undefined) continue;
      const kept = await this.keep(tokens.value);
      if (!kept.ok) continue;
      const subject = this.#parts.nameOf(kept.value.scope.owner, kept.value.scope.stream);
      const data = { step: 'handed on', grant: kept.value.scope.id };
      journal.record({ type: journalTypes.access, subject, data });
      await this.fetchCard(kept.value);
    }
  }

  /** Asks for the answers that are still open, and for the logs of streams that we may read. */
  async look(cardsNow: boolean): Promise<void> {
    for (const request of this.#parts.requests.all('out')) {
      if (request.state === 'pending') await this.ask(request);
    }
    const nowMs = this.#parts.runtime.clock.monotonic();
    for (const kept of this.#parts.grants.got()) {
      if (kept.scope.command === keyCommand || this.#isOver(kept)) continue;
      const lastMs = this.#cardsMs.get(kept.scope.id) ?? -Infinity;
      const patienceMs = kept.card === undefined ? 0 : this.#parts.home.config.limits.accessCardMs;
      if (cardsNow || nowMs - lastMs >= patienceMs) await this.fetchCard(kept);
    }
  }

  /** What it opened is closed for good: nothing more is asked with it. */
  #isOver(kept: KeptGrant): boolean {
    const { expires } = kept.scope;
    const ended = expires !== undefined && expires * 1000 <= this.#parts.runtime.clock.now();
    return ended || this.#parts.gate().isRevoked(kept);
  }

  /** What a peer of the owner said last of a grant. */
  problemOf(grantId: string): Fault | undefined {
    return this.#problems.get(grantId);
  }

  answered({ scope }: KeptGrant, refusal: Fault | undefined): void {
    const before = this.#problems.get(scope.id);
    if (refusal === undefined) this.#problems.delete(scope.id);
    else this.#problems.set(scope.id, refusal);
    if (refusal === undefined || before?.code === refusal.code) return;
    const data = { step: 'refused', code: refusal.code, grant: scope.id };
    const subject = this.#parts.nameOf(scope.owner, scope.stream);
    this.#parts.journal.record({ type: journalTypes.access, subject, data });
  }

  findings(): readonly Omit<Check, 'since'>[] {
    const found: Omit<Check, 'since'>[] = [];
    const open = this.#parts.requests.all('in').filter(({ state }) => state === 'pending');
    if (open.length > 0) {
      const reason = `${open.length} request(s) for grants wait for an answer`;
      const hint =
        'hw grant list shows them; hw grant accept ID or hw grant reject ID answers one.';
      found.push({ name: 'grant requests', ok: false, level: 'warning', reason, hint });
    }
    for (const [id, problem] of this.#problems) {
      const kept = this.#parts.grants.get(id);
      if (kept === undefined) continue;
      const name = `grant of ${this.#parts.nameOf(kept.scope.owner, kept.scope.stream)}`;
      found.push({
        name,
        ok: false,
        level: 'warning',
        reason: problem.message,
        hint: problem.hint,
      });
    }
    return found;
  }

  async ask(request: KeptRequest): Promise<void> {
    const { exchange, requests, journal } = this.#parts;
    const { id, stream, purpose, seconds, audience, owner, renews } = request;
    const message = { kind: 'request', id, stream, purpose, seconds, audience, renews } as const;
    const answer = await exchange()?.request(owner, message);
    if (answer?.ok !== true || answer.value.state === 'pending') return;
    if (requests.get('out', id)?.state !== 'pending') return;
    const { state, reason, grant } = answer.value;
    const tokens = state === 'accepted' ? parseContainer(grant) : undefined;
    const kept = tokens?.ok === true ? await this.keep(tokens.value) : undefined;
    const failed = state === 'accepted' && kept?.ok !== true;
    const grantId = kept?.ok === true ? kept.value.scope.id : '';
    await requests.put(
      failed
        ? { ...request, state: 'rejected', reason: 'the grant that came cannot be used' }
        : { ...request, state, reason, grantId },
    );
    const data = { step: state, reason, request: id, grant: grantId };
    journal.record({ type: journalTypes.access, subject: this.#parts.nameOf(owner, stream), data });
    if (kept?.ok === true) await this.fetchCard(kept.value);
  }

  /** Verifies a chain that was made out to us, hands it to the peer where it is the organisation's. */
  async keep(tokens: readonly Uint8Array[]): Promise<Result<KeptGrant>> {
    const { grants, runtime, home } = this.#parts;
    const ordered = orderGrant(nodeCrypto, tokens);
    if (!ordered.ok) return ordered;
    const now = runtime.clock.now();
    const scope = checkGrant(nodeCrypto, ordered.value, now);
    if (!scope.ok) return scope;
    const { owner, holder } = scope.value;
    if (holder === this.#peer()) return grants.keep('got', ordered.value, now);
    const signer = home.keys.organisation;
    if (holder !== home.identity.organisation) {
      return err(fault('grant-holder', `this grant was made out to ${holder}`));
    }
    if (signer === undefined) return err(keyAway);
    const before = [...grants.got()].find(
      (kept) =>
        kept.tokens.at(-2) !== undefined && isSame(kept.tokens.slice(0, -1), ordered.value.tokens),
    );
    if (before !== undefined) return ok(before);
    const next = { owner, audience: this.#peer() };
    const own = handOn(signer, runtime.random, ordered.value.tokens, next);
    const grant = orderGrant(nodeCrypto, own);
    if (!grant.ok) return grant;
    const usable = checkGrant(nodeCrypto, grant.value, now);
    return usable.ok ? grants.keep('got', grant.value, now) : usable;
  }

  async fetchCard(kept: KeptGrant): Promise<void> {
    // A sealed stream is in its owner's registry: what is lacking are keys.
    if (kept.scope.command === keyCommand) return this.#parts.keysWanted();
    const { exchange, grants, runtime } = this.#parts;
    const { owner, stream, id } = kept.scope;
    const gate = this.#parts.gate();
    this.#cardsMs.set(id, runtime.clock.monotonic());
    const text = await exchange()?.card(owner, (peer) =>
      gate.showFor({ owner, name: stream }, peer),
    );
    if (text?.ok !== true) {
      if (text !== undefined && text.error.code !== 'no-holder') this.answered(kept, text.error);
      return;
    }
    this.answered(kept, undefined);
    const card = readDirectCard(owner, text.value);
    if (!card.ok || card.value.name !== stream) return;
    const grant = gate.open(kept);
    if (kept.card !== text.value && grant.ok) {
      await grants.keep('got', grant.value, kept.since, text.value);
    }
    this.#know(card.value);
    await this.#parts.learned(card.value);
  }

  #know(card: StreamCard): void {
    this.#parts.registries.putDirect(card);
    this.#parts.gate().follow(card);
  }

  #peer(): Did {
    return didFromKey(this.#parts.home.keys.peer.publicKey);
  }
}

const none = new Uint8Array(0);

/** The id of a grant whose delegations stand in any order. */
function lastCid(tokens: readonly Uint8Array[]): string | undefined {
  const grant = orderGrant(nodeCrypto, tokens);
  return grant.ok ? grant.value.cids.at(-1) : undefined;
}

function isSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((token, i) => equal(token, b[i] ?? none));
}

const keyAway = fault(
  'grant-key-missing',
  'the grant is made out to the organisation, whose key is not here',
  undefined,
  'Bring the key for it: hw grant import FILE --key FILE; or ask for a grant for this peer, whose did:key is in hw key list.',
);
