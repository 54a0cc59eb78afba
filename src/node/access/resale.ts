/**
 * Handing on what we hold (access.md "Delegation"): a part of a grant for another organisation, or the
 * whole of it for a sister peer. The peer key signs, so the organisation's own may be away.
 */
import { handOn, mintGrant, orderGrant, type Grant } from '../../access/grant.ts';
import { handOnsLeft, widening, type Part } from '../../access/handing-on.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import type { Host } from '../../host.ts';
import { didFromKey, parseDid } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { asPeerId, asTimeMs, type Did, type StreamName } from '../../types.ts';
import type { GrantInput } from '../grants-api.ts';
import type { AccessGate } from './access-gate.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';

export interface ResaleParts {
  /** The peer key: it holds what is handed on. */
  readonly signer: Signer;
  readonly host: Pick<Host, 'clock' | 'random'>;
  readonly grants: GrantBook;
  readonly gate: () => Pick<AccessGate, 'isRevoked' | 'isSame'>;
}

export class Resale {
  readonly #parts: ResaleParts;

  constructor(parts: ResaleParts) {
    this.#parts = parts;
  }

  /**
   * A part of a grant of this stream, of those that we hold the first that covers it. Codes:
   * grant-none, grant-wider, grant-full.
   */
  async part(
    stream: { readonly owner: Did; readonly name: StreamName },
    audience: Did,
    input: Omit<Partial<GrantInput>, 'to'>,
  ): Promise<Result<KeptGrant>> {
    let refusal: Fault | undefined;
    for (const held of this.#usable(stream)) {
      const part = this.#partOf(held, input);
      const wider = elsewhere(held, audience) ?? widening(held.scope, held.tokens.length, part);
      if (wider === undefined) return this.#mint(held, audience, part);
      refusal ??= wider;
    }
    return err(refusal ?? nothingHeld);
  }

  /** The whole of a grant for a sister peer. Codes: grant-unknown, grant-holder, grant-wider, usage. */
  async whole(id: string, peer: string): Promise<Result<KeptGrant>> {
    const { grants, signer, host } = this.#parts;
    const held = grants.find(id);
    if (!held.ok) return held;
    const audience = didOf(peer);
    if (!audience.ok) return audience;
    if (held.value.side !== 'got') {
      return err(
        fault('grant-holder', 'this grant was not made out to us: hw grant show writes it'),
      );
    }
    const { scope, tokens } = held.value;
    const wider = widening(scope, tokens.length, { handOns: 0 });
    if (wider !== undefined) return err(wider);
    const next = { owner: scope.owner, audience: audience.value };
    return this.#keep(handOn(signer, host.random, tokens, next));
  }

  /** Those that end latest come first. */
  #usable({ owner, name }: { readonly owner: Did; readonly name: StreamName }): KeptGrant[] {
    const { grants, gate, host } = this.#parts;
    const now = host.clock.now();
    const live = [...grants.got()].filter((kept) => {
      const { scope } = kept;
      const ended = scope.expires !== undefined && scope.expires * 1000 <= now;
      const same = gate().isSame(scope.owner, owner) && scope.stream === name;
      return same && !ended && !gate().isRevoked(kept);
    });
    return live.toSorted((a, b) => (b.scope.expires ?? Infinity) - (a.scope.expires ?? Infinity));
  }

  #partOf({ scope, tokens }: KeptGrant, input: Omit<Partial<GrantInput>, 'to'>): Part {
    const { from, until, seconds, purpose, fields, depth } = input;
    // As much as there is, where nobody says how much.
    const handOns = depth ?? Math.max(0, Math.min(1, handOnsLeft(scope, tokens.length)));
    const expires = asTimeMs(this.#parts.host.clock.now() + (seconds ?? 0) * 1000);
    return {
      handOns,
      ...(from === undefined ? {} : { from }),
      ...(until === undefined ? {} : { to: until }),
      ...(seconds === undefined ? {} : { expires }),
      ...(purpose === undefined || purpose === '' ? {} : { purpose }),
      ...(fields === undefined ? {} : { fields }),
    };
  }

  #mint({ tokens, scope }: KeptGrant, audience: Did, part: Part): Promise<Result<KeptGrant>> {
    const { signer, host } = this.#parts;
    const { owner, stream, command } = scope;
    const terms = { command, owner, audience, stream, ...part };
    return this.#keep(mintGrant(signer, host.random, tokens, terms));
  }

  #keep(tokens: readonly Uint8Array[]): Promise<Result<KeptGrant>> {
    const grant: Result<Grant> = orderGrant(nodeCrypto, tokens);
    if (!grant.ok) return Promise.resolve(grant);
    return this.#parts.grants.keep('given', grant.value, this.#parts.host.clock.now());
  }
}

/** A grant for one organisation opens nothing for another, whatever is made of it. */
function elsewhere({ scope: { within } }: KeptGrant, audience: Did): Fault | undefined {
  if (within === undefined || within === audience) return undefined;
  return fault('grant-wider', `this grant is for peers of ${within} alone`);
}

/** Of a peer id or a did:key. Code: `usage`. */
function didOf(text: string): Result<Did> {
  if (text.startsWith('did:')) return parseDid(text);
  const key = peerKey(asPeerId(text));
  if (key !== undefined) return ok(didFromKey(key));
  return err(fault('usage', `${text} is neither a peer id nor a did:key`, { pointer: '--peer' }));
}

const nothingHeld = fault('grant-none', 'there is no grant of this stream that can be handed on');
