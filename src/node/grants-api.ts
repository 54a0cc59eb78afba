/** Grants and requests for them, as the API shows them. */
import type { Fields, GrantCommand } from '../access/grant.ts';
import type { Fault } from '../errors.ts';
import type { Result } from '../result.ts';
import type { Did, TimeMs } from '../types.ts';
import type { RequestState } from '../gossip/access-codec.ts';
import type { Actor, StreamView } from './node-api.ts';

export const grantStates = ['active', 'waiting', 'expired', 'revoked'] as const;
export type GrantState = (typeof grantStates)[number];

export interface GrantView {
  /** CID of its last delegation. */
  readonly id: string;
  /** `through`: what the holder of a given one handed on, and its reader has shown. */
  readonly side: 'given' | 'got' | 'through';
  /** As people here call it: `name` or `organisation/name`. */
  readonly stream: string;
  /** `/flow/read`, or `/flow/key` where the stream is sealed. */
  readonly command: GrantCommand;
  readonly owner: Did;
  readonly holder: Did;
  /** Alias or registry name of the holder, where known. */
  readonly holderName?: string;
  /** Who handed it on, by name where known, the first holder first; absent: it came straight from the owner. */
  readonly through?: readonly string[];
  /** `attributes`: no data. */
  readonly fields?: 'attributes';
  /** The organisation whose peers alone may use it. */
  readonly within?: Did;
  /** Recorded time that it covers; absent: from the beginning, without end. */
  readonly from?: TimeMs;
  readonly to?: TimeMs;
  /** Absent: it does not expire. */
  readonly expires?: TimeMs;
  readonly purpose?: string;
  /** How often it may still be handed on; absent: it does not say. */
  readonly handOns?: number;
  readonly state: GrantState;
  /** When it came here. */
  readonly since: TimeMs;
  /**
   * Of one that is revoked now, for a sealed stream: keys that are out open what is written until then;
   * 0: until the open epoch has its events.
   */
  readonly keysUntil?: TimeMs;
  /** Of one that was got: what a peer of the owner said last. */
  readonly problem?: Fault;
}

export interface GrantText extends GrantView {
  /** Container in text form: what the holder needs. */
  readonly grant: string;
}

export interface RequestView {
  readonly id: string;
  /** `out`: ours. */
  readonly side: 'out' | 'in';
  readonly stream: string;
  readonly owner: Did;
  readonly organisation: Did;
  readonly organisationName?: string;
  readonly purpose: string;
  /** For how many seconds; 0: without end. */
  readonly seconds: number;
  readonly state: RequestState;
  readonly reason?: string;
  readonly since: TimeMs;
  /** Id of the grant, once accepted. */
  readonly grant?: string;
  /** Id of the grant whose place it is to take. */
  readonly renews?: string;
  /** Of a request to us: there is no such direct or sealed stream, so it cannot be accepted. */
  readonly unknownStream?: true;
}

export interface GrantInput {
  /** DID, alias or registry name. */
  readonly to: string;
  readonly from?: TimeMs;
  readonly until?: TimeMs;
  readonly seconds?: number;
  readonly purpose?: string;
  /** How often it may be handed on; 1 lets an organisation hand it to its peers. */
  readonly depth?: number;
  /** Attributes alone come as proofs. */
  readonly fields?: Fields;
}

/** Which grants and requests are listed; all where nothing is said. */
export interface GrantQuery {
  /** Stream, as people here call it, or its name alone. */
  readonly stream?: string;
  readonly state?: GrantState | RequestState;
  /** `given`, `got`, `through`; of requests `in` goes with given, `out` with got. */
  readonly side?: GrantView['side'];
  readonly limit?: number;
  /** Id of the grant or request after which the page begins. */
  readonly after?: string;
}

/** Grants, the oldest first, and then requests. */
export interface GrantPage {
  readonly grants: readonly GrantView[];
  readonly requests: readonly RequestView[];
  /** `after` of the next page; absent on the last. */
  readonly next?: string;
}

export interface GrantsApi {
  /** Code: grant-unknown, where there is no `after`. */
  list(query?: GrantQuery): Result<GrantPage>;
  show(id: string): Result<GrantText>;
  /** Of a stream of others a part of what we hold. Codes: grant-none, grant-wider, grant-needless, grant-key-missing, grant-full. */
  create(stream: StreamView, input: GrantInput, actor: Actor): Promise<Result<GrantText>>;
  /** Whether a follow target, `did:key:…/name`, can be kept here. Code: fields-unsupported, by a grant of attributes alone. */
  followable(target: string): Result<void>;
  /** Keeps a grant that was made out to us. Codes: those of `checkGrant`, grant-holder. */
  accept(text: string, actor: Actor): Promise<Result<GrantView>>;
  revoke(id: string, actor: Actor): Promise<Result<GrantView>>;
  /** Hands one that we hold to another peer, by peer id or did:key. Codes: grant-unknown, grant-holder, grant-wider. */
  handOn(id: string, peer: string, actor: Actor): Promise<Result<GrantText>>;
  /** Asks for a new one in the place of one that we hold, before it ends. */
  renew(
    id: string,
    input: { readonly seconds?: number; readonly purpose?: string },
    actor: Actor,
  ): Promise<Result<RequestView>>;
  request(
    stream: string,
    input: { readonly purpose: string; readonly seconds: number },
    actor: Actor,
  ): Promise<Result<RequestView>>;
  withdraw(id: string, actor: Actor): Promise<Result<RequestView>>;
  /** Answers a request of others: a grant, or a reason. */
  answer(
    id: string,
    decision:
      | { readonly accept: true; readonly input: Partial<Omit<GrantInput, 'to' | 'purpose'>> }
      | { readonly accept: false; readonly reason: string },
    actor: Actor,
  ): Promise<Result<RequestView>>;
}
