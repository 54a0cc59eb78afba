/**
 * UCAN bearers: `Authorization: Bearer <container>`, one invocation with its delegations. The
 * invocation is made for one request and is good once:
 *
 *   sub    the organisation of this node       aud    did:key of this peer
 *   cmd    the command of the route (entry-points.ts); the delegations may give one above it
 *   args   {node, method, path[, query]}: `aud` once more, and the request as sent, so that policies
 *          can narrow by them
 *   iat, exp, nonce and all other checks: ucan-judge.ts
 */
import type { UcanMap } from '../../access/ucan-cbor.ts';
import { parseContainer } from '../../access/ucan-container.ts';
import { decodeInvocation, type Invocation } from '../../access/ucan-invocation.ts';
import {
  judgeInvocation,
  verifyInvocation,
  type Court,
  type Judged,
} from '../../access/ucan-judge.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Clock, Timers } from '../../host.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did } from '../../types.ts';

/** One request that a bearer is to be good for. */
export interface Asked {
  readonly method: string;
  /** As in the request line, without the query. */
  readonly path: string;
  /** What follows the `?`; empty where there is none. */
  readonly query: string;
  readonly command: string;
}

export interface Admitted {
  /** Who invokes. */
  readonly did: Did;
  /** Whether the same powers are good for another request now, of the same command: for tickets. */
  readonly permits: (method: string, path: string) => Result<void>;
  /** Told once the delegations have expired or one was taken back; asks at once. */
  readonly watch: (ended: (reason: Fault) => void) => Disposable;
}

/** When to look again at delegations that are in use. */
export interface Watching {
  readonly timers: Timers;
  onRevoked(listener: () => void): Disposable;
}

export class AdminCourt {
  readonly #court: Court;
  readonly #organisation: Did;
  readonly #clock: Clock;
  readonly #watching: Watching | undefined;

  /**
   * `court.self` is the peer; `organisation` is whose powers are delegated. Without `watching` nobody is
   * told when a delegation ends.
   */
  constructor(court: Court, organisation: Did, clock: Clock, watching?: Watching) {
    this.#watching = watching;
    this.#court = court;
    this.#organisation = organisation;
    this.#clock = clock;
  }

  /**
   * Lets somebody in. Nothing is looked up of what the request is for, so a refusal cannot tell whether
   * it exists. Codes: `ucan-container`, `ucan-subject`, `ucan-command`, `ucan-request` (made for
   * another one), those of `decodeInvocation` and `judgeInvocation`.
   */
  judge(bearer: string, asked: Asked): Result<Admitted> {
    const tokens = parseContainer(bearer);
    if (!tokens.ok) return tokens;
    const found = findInvocation(tokens.value);
    if (!found.ok) return found;
    const [invocation, delegations] = found.value;
    if (invocation.subject !== this.#organisation) {
      return err(fault('ucan-subject', 'the invocation is about another organisation'));
    }
    if (invocation.command !== asked.command) {
      const message = `this needs ${asked.command}, not ${invocation.command}`;
      return err(fault('ucan-command', message));
    }
    const made = madeFor(invocation, asked, this.#court.self);
    if (!made.ok) return made;
    const caller = { organisation: invocation.issuer, now: this.#clock.now() };
    const judged = judgeInvocation(this.#court, invocation, delegations, caller);
    if (!judged.ok) return judged;
    const permits = (method: string, path: string): Result<void> =>
      this.#permits(judged.value, { node: this.#court.self, method, path });
    const watch: Admitted['watch'] = (ended) => this.#watch(judged.value, ended);
    return ok({ did: invocation.issuer, permits, watch });
  }

  #watch(proof: Judged, ended: (reason: Fault) => void): Disposable {
    const watching = new DisposableStack();
    const look = (): void => {
      const reason = this.#endOf(proof);
      if (reason === undefined) return;
      watching.dispose();
      ended(reason);
    };
    if (this.#watching !== undefined && proof.chain.length > 0) {
      watching.use(this.#watching.onRevoked(look));
      watching.use(this.#watching.timers.every(protocol.livePulseMs, look));
    }
    look();
    return watching;
  }

  #endOf(proof: Judged): Fault | undefined {
    const index = this.#court.revocations.first(proof);
    if (index !== undefined) return fault('ucan-revoked', 'a delegation was revoked', { index });
    const seconds = Math.floor(this.#clock.now() / 1000) - protocol.tokenSkewSeconds;
    const expired = proof.chain.findIndex(({ expires }) => expires !== null && seconds > expires);
    if (expired < 0) return undefined;
    return fault('ucan-expired', 'a delegation has expired', { index: expired });
  }

  #permits({ invocation, chain, args }: Judged, request: UcanMap): Result<void> {
    const { hw } = args;
    const seen = { ...request, ...(hw === undefined ? {} : { hw }) };
    return verifyInvocation(this.#court.crypto, invocation, chain, seen, this.#clock.now());
  }
}

/** The one invocation of a container, and the rest. */
function findInvocation(
  tokens: readonly Uint8Array[],
): Result<readonly [Invocation, readonly Uint8Array[]]> {
  const invocations: (readonly [Invocation, Uint8Array])[] = [];
  for (const token of tokens) {
    const decoded = decodeInvocation(token);
    if (decoded.ok) invocations.push([decoded.value, token]);
    // Delegations have another tag; what is neither is told as it is.
    else if (decoded.error.code !== 'ucan-version') return decoded;
  }
  const [first, ...others] = invocations;
  if (first === undefined || others.length > 0) {
    const message = `a bearer has one invocation, not ${invocations.length}`;
    return err(fault('ucan-container', message));
  }
  return ok([first[0], tokens.filter((token) => token !== first[1])]);
}

function madeFor({ args }: Invocation, { method, path, query }: Asked, node: Did): Result<void> {
  const wanted: Readonly<Record<string, string | undefined>> = {
    node,
    method,
    path,
    query: query === '' ? undefined : query,
  };
  const names = new Set([...Object.keys(wanted), ...Object.keys(args)]);
  for (const name of names) {
    if (name === 'hw' || args[name] === wanted[name]) continue;
    const message = `args.${name} is not that of this request`;
    return err(fault('ucan-request', message, { pointer: `args.${name}` }));
  }
  return ok(undefined);
}
