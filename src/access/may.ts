/**
 * The one decision whether a log may be read (access.md "Tokens"). Every way on which blocks, keys
 * or proofs leave this node for others asks here. Pure: what it needs to know comes in.
 *
 *   public, sealed   everybody: a sealed log protects itself
 *   direct           who shows a grant of the owner (`/flow/read`), to a peer of the owner
 *   epoch keys       of a sealed log: the same with a grant of `/flow/key`
 *
 * Checks of a direct log and of epoch keys, in this order: we are the owner's · a grant is there · its
 * invocation is by the peer that shows it · about this owner, command and stream · fields that we can
 * serve · all of ucan-judge.ts · our view of the owner's revocations is fresh.
 *
 * A refusal names its reason only to who has a true grant of the owner for this very stream. For
 * everybody else the answer is that of a log that does not exist: the caller sees to it by `told`.
 */
import { fault, type Code, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { protocol } from '../limits.ts';
import { asStreamName, isStreamName, type Did, type StreamName, type TimeMs } from '../types.ts';
import { keyCommand, readCommand, type GrantCommand, type ReadArgs } from './grant.ts';
import type { UcanMap } from './ucan-cbor.ts';
import { verifyChain, type Chain } from './ucan-chain.ts';
import { decodeContainer } from './ucan-container.ts';
import { isInvocation } from './ucan-envelope.ts';
import { decodeInvocation, type Invocation } from './ucan-invocation.ts';
import { calledBy, type Court, judgeInvocation, proofOf, superseded } from './ucan-judge.ts';
import { fixedTo, satisfied } from './ucan-policy.ts';

/** What is asked for: a log, by its genesis. */
export interface Wanted {
  readonly owner: Did;
  readonly stream: StreamName;
  readonly visibility: 'public' | 'sealed' | 'direct';
}

export interface ReadRequest {
  readonly wanted: Wanted;
  /** Container of an invocation and its delegations. */
  readonly grant?: Uint8Array | undefined;
  /** Proved by the connection and its hello. */
  readonly peer: Did;
  readonly organisation: Did;
  /** In what form it would be served; blocks where it does not say. */
  readonly as?: Serving;
}

/** Blocks, and what epoch keys open, hold attributes and data; proofs can be had for attributes too. */
export type Serving = 'blocks' | 'proofs' | 'keys';

export interface AccessState {
  readonly court: Court;
  /** Ours: direct logs are served by peers of their owner only. */
  readonly organisation: Did;
  readonly now: TimeMs;
  /** Age of the newest proof that we know all revocations of the owner; undefined: there is none. */
  readonly viewAgeMs: (owner: Did) => number | undefined;
  readonly maxRevocationLagMs: number;
}

/** What was allowed, to be asked again with `stillMay` as long as it is used. */
export interface Permit {
  readonly args: ReadArgs;
  readonly owner: Did;
  /** Who reads: the organisation and the peer. */
  readonly organisation: Did;
  readonly holder: Did;
  readonly chain: Chain;
  readonly cids: readonly string[];
  /** Milliseconds: the first link that expires, skew included. */
  readonly untilMs: number;
}

export type Decision =
  /** Without a permit: open to everybody. */
  | { readonly kind: 'allow'; readonly permit?: Permit }
  /** `told`: the asker may know why. */
  | { readonly kind: 'deny'; readonly reason: Fault; readonly told: boolean };

const open: Decision = { kind: 'allow' };

/**
 * Codes: grant-owner, grant-missing, grant-holder, grant-args, fields-unsupported, revocations-stale,
 * ucan-container, ucan-subject, ucan-command, those of `decodeInvocation` and `judgeInvocation`.
 */
export function may(request: ReadRequest, state: AccessState): Decision {
  const { wanted, grant } = request;
  if (request.as === 'keys') {
    if (wanted.visibility !== 'sealed')
      return deny('grant-args', 'only a sealed log has such keys');
  } else if (wanted.visibility !== 'direct') return open;
  if (state.organisation !== wanted.owner) {
    return deny('grant-owner', 'direct logs and keys are served by peers of their owner only');
  }
  if (grant === undefined) return deny('grant-missing', 'this needs a grant');
  const shown = openGrant(grant);
  if (!shown.ok) return { kind: 'deny', reason: shown.error, told: false };
  const { invocation, delegations } = shown.value;
  const judged = judgeShown(request, state, invocation, delegations);
  if (judged.ok) return { kind: 'allow', permit: judged.value };
  return {
    kind: 'deny',
    reason: judged.error,
    told: isTrue(request, state, invocation, delegations),
  };
}

/** What a grant must be for. */
function commandFor({ as }: Pick<ReadRequest, 'as'>): GrantCommand {
  return as === 'keys' ? keyCommand : readCommand;
}

function judgeShown(
  { wanted, peer, organisation, as = 'blocks' }: ReadRequest,
  state: AccessState,
  invocation: Invocation,
  delegations: readonly Uint8Array[],
): Result<Permit> {
  const { owner } = wanted;
  if (invocation.issuer !== peer) {
    return refuse('grant-holder', 'the invocation is not by the peer that shows it');
  }
  if (!isOwn(state, owner, invocation.subject)) {
    return refuse('ucan-subject', 'the invocation is about another owner');
  }
  const command = commandFor({ as });
  if (invocation.command !== command) {
    return refuse('ucan-command', `not ${command} but ${invocation.command}`);
  }
  const args = readArgs(invocation.args);
  if (args === undefined || args.stream !== wanted.stream) {
    return refuse('grant-args', 'args are those of another request');
  }
  const unserved = unservable(args.fields, as);
  if (unserved !== undefined) return err(unserved);
  const stale = staleness(owner, state);
  if (stale !== undefined) return err(stale);
  const caller = { organisation, now: state.now };
  const judged = judgeInvocation(state.court, invocation, delegations, caller);
  if (!judged.ok) return judged;
  const { chain, cids } = judged.value;
  return ok({ args, owner, organisation, holder: peer, chain, cids, untilMs: endOf(chain) });
}

/**
 * A permit in use: expiry, policies at this time, revocations, freshness. No signature is checked
 * again. Codes: ucan-expired, ucan-revoked, did-superseded, ucan-policy, revocations-stale.
 */
export function stillMay(permit: Permit, state: AccessState): Fault | undefined {
  if (state.now > permit.untilMs) return fault('ucan-expired', 'the grant has expired');
  const revoked = state.court.revocations.first(permit);
  if (revoked !== undefined) {
    return fault('ucan-revoked', 'a delegation was revoked', { index: revoked });
  }
  const stolen = superseded(state.court, permit);
  if (stolen !== undefined) return stolen;
  const stale = staleness(permit.owner, state);
  if (stale !== undefined) return stale;
  if (!permit.chain.some(isTimed)) return undefined;
  const now = Math.floor(state.now / 1000);
  const invokerOrg = calledBy(state.court, permit.organisation, permit.chain);
  const hw = { depth: permit.chain.length, invokerOrg, now };
  const args = { ...permit.args, hw };
  const index = permit.chain.findIndex((link) => !satisfied(link.policy, args));
  if (index < 0) return undefined;
  return fault('ucan-policy', 'the policy does not allow these arguments', { index });
}

/** A policy that looks at the time may change its mind. */
function isTimed({ policy }: Chain[number]): boolean {
  return policy.some((statement) => {
    if ('selector' in statement) {
      const { text } = statement.selector;
      return text.startsWith('.hw') && text !== '.hw.depth' && text !== '.hw.invokerOrg';
    }
    return true;
  });
}

function unservable(fields: string, as: Serving): Fault | undefined {
  if (fields === 'data' || (fields === 'attributes' && as === 'proofs')) return undefined;
  if (fields === 'attributes') {
    return fault('fields-unsupported', 'blocks hold data, and this is for attributes alone');
  }
  return fault('fields-unsupported', `fields is data or attributes, and not ${fields}`);
}

function staleness(owner: Did, state: AccessState): Fault | undefined {
  const age = state.viewAgeMs(owner);
  if (age !== undefined && age <= state.maxRevocationLagMs) return undefined;
  const message = 'this peer has not heard of the revocations of the owner for too long';
  return fault('revocations-stale', message);
}

function deny(code: Code, message: string): Decision {
  return { kind: 'deny', reason: fault(code, message), told: false };
}

function refuse(code: Code, message: string): Result<never> {
  return err(fault(code, message));
}

interface Shown {
  readonly invocation: Invocation;
  readonly delegations: readonly Uint8Array[];
}

function openGrant(grant: Uint8Array): Result<Shown> {
  const tokens = decodeContainer(grant);
  if (!tokens.ok) return tokens;
  const delegations: Uint8Array[] = [];
  let invocation: Invocation | undefined;
  for (const token of tokens.value) {
    if (!isInvocation(token)) {
      delegations.push(token);
      continue;
    }
    if (invocation !== undefined) return manyInvocations;
    const decoded = decodeInvocation(token);
    if (!decoded.ok) return decoded;
    invocation = decoded.value;
  }
  return invocation === undefined ? manyInvocations : ok({ invocation, delegations });
}

/** The stream that the invocation of a grant names; unproved. */
export function streamAsked(grant: Uint8Array): StreamName | undefined {
  const shown = openGrant(grant);
  return shown.ok ? readArgs(shown.value.invocation.args)?.stream : undefined;
}

const manyInvocations: Result<never> = {
  ok: false,
  error: fault('ucan-container', 'a grant is shown by one invocation'),
};

const names = new Set(['stream', 'from', 'to', 'fields', 'purpose']);

/** Undefined where they are not those of a read: what is not known is never passed over. */
function readArgs(args: UcanMap): ReadArgs | undefined {
  if (Object.keys(args).some((name) => !names.has(name) && name !== 'hw')) return undefined;
  const { stream, from, to, fields, purpose } = args;
  if (typeof stream !== 'string' || !isStreamName(stream)) return undefined;
  if (!isTime(from) || typeof fields !== 'string') return undefined;
  if (to !== undefined && !isTime(to)) return undefined;
  if (purpose !== undefined && typeof purpose !== 'string') return undefined;
  return {
    stream: asStreamName(stream),
    from,
    fields,
    ...(to === undefined ? {} : { to }),
    ...(purpose === undefined ? {} : { purpose }),
  };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 2 ** 48;
}

/** Does the owner's own chain name this stream? Then who shows it knows of the stream already. */
function isTrue(
  request: ReadRequest,
  state: AccessState,
  invocation: Invocation,
  delegations: readonly Uint8Array[],
): boolean {
  const { owner, stream } = request.wanted;
  const { court, now } = state;
  const { crypto } = court;
  const proof = proofOf(crypto, invocation, delegations);
  if (!proof.ok) return false;
  const { chain } = proof.value;
  if (!chain.some(({ policy }) => fixedTo(policy, 'stream') === stream)) return false;
  const root = chain[0]?.issuer ?? owner;
  const aligned = verifyChain(crypto, chain, {
    subject: isOwn(state, owner, root) ? root : owner,
    holder: chain.at(-1)?.audience ?? owner,
    command: commandFor(request),
    args: {},
    time: now,
  });
  return aligned.ok || afterAlignment.has(aligned.error.code);
}

/** What is checked only once all signatures and principals are right. */
const afterAlignment: ReadonlySet<Code> = new Set<Code>([
  'ucan-expired',
  'ucan-not-yet-valid',
  'ucan-policy',
]);

/** Is it the owner, by this DID or by one that it had before? */
function isOwn({ court }: AccessState, owner: Did, did: Did): boolean {
  return did === owner || court.identities?.all(owner).includes(did) === true;
}

function endOf(chain: Chain): number {
  let end = Number.MAX_SAFE_INTEGER;
  const skew = protocol.tokenSkewSeconds;
  for (const { expires } of chain) {
    if (expires !== null) end = Math.min(end, (expires + skew + 1) * 1000 - 1);
  }
  return end;
}
