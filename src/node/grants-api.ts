/** Grants and requests for them, as the API shows them. */
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
  readonly side: 'given' | 'got';
  /** As people here call it: `name` or `organisation/name`. */
  readonly stream: string;
  readonly owner: Did;
  readonly holder: Did;
  /** Alias or registry name of the holder, where known. */
  readonly holderName?: string;
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
  /** Of a request to us: there is no such direct stream, so it cannot be accepted. */
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
}

export interface GrantsApi {
  list(): { readonly grants: readonly GrantView[]; readonly requests: readonly RequestView[] };
  show(id: string): Result<GrantText>;
  /** Codes: stream-not-own, grant-needless, grant-key-missing, grant-full. */
  create(stream: StreamView, input: GrantInput, actor: Actor): Promise<Result<GrantText>>;
  /** Keeps a grant that was made out to us. Codes: those of `checkGrant`, grant-holder. */
  accept(text: string, actor: Actor): Promise<Result<GrantView>>;
  revoke(id: string, actor: Actor): Promise<Result<GrantView>>;
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
