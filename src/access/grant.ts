/**
 * Grants: chains of delegations of `/flow/read`, or of `/flow/key` where the stream is sealed, from the
 * owner of a stream to who may read it (access.md "Tokens"). What a grant allows stands in the policies of its links:
 *
 *   ["==", ".stream", name]       the stream of the subject
 *   [">=", ".from", ms]           nothing recorded earlier    ["<=", ".to", ms]  nor then and later
 *   ["==", ".purpose", text]      for what it was given
 *   ["==", ".fields", text]       `attributes`: these alone, as proofs
 *   ["<=", ".hw.depth", n]        links of the longest chain that may be made of it
 *   ["==", ".hw.invokerOrg", did] used by peers of this organisation only
 *
 * Who uses it shows it with an invocation of its own, whose args are {stream, from, fields}, with
 * `to` and `purpose` where the grant speaks of them. Times are milliseconds since 1970.
 */
import type { Crypto, Hasher, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asStreamName, isStreamName, type Did, type StreamName, type TimeMs } from '../types.ts';
import { formatContainer } from './ucan-container.ts';
import type { UcanMap } from './ucan-cbor.ts';
import { decodeChain, verifyChain, type Chain } from './ucan-chain.ts';
import { decodeDelegation, mintDelegation } from './ucan-delegation.ts';
import { tokenCid } from './ucan-envelope.ts';
import { mintInvocation } from './ucan-invocation.ts';
import { atLeast, atMost, boundOf, fixedTo, is, type Statement } from './ucan-policy.ts';

export const readCommand = '/flow/read';
/** Obtain epoch keys of a sealed stream. */
export const keyCommand = '/flow/key';
export type GrantCommand = '/flow/read' | '/flow/key';
export const grantCommands: readonly GrantCommand[] = [readCommand, keyCommand];

/** What of an event is read: attributes alone come as proofs, with data as blocks. */
export const fieldSets = ['data', 'attributes'] as const;
export type Fields = (typeof fieldSets)[number];

/** What a reader asks for. */
export interface ReadArgs {
  readonly stream: StreamName;
  /** First recorded time, inclusive; 0: from the beginning. */
  readonly from: number;
  /** Exclusive; absent: without end. */
  readonly to?: number;
  readonly fields: string;
  readonly purpose?: string;
}

export interface GrantTerms {
  /** `/flow/read` where it is absent. */
  readonly command?: GrantCommand;
  readonly owner: Did;
  readonly audience: Did;
  readonly stream: StreamName;
  readonly from?: number;
  readonly to?: number;
  /** Absent: it does not expire. Cut to whole seconds. */
  readonly expires?: TimeMs;
  /** How often its holder and those behind it may hand it on; its own peers count as one. */
  readonly handOns: number;
  readonly purpose?: string;
  /** `attributes`: no data; without it the grant is for both. */
  readonly fields?: Fields;
  /** Only peers of this organisation may use it, however often it is handed on. */
  readonly within?: Did;
}

/** A chain from the owner on, root first. */
export interface Grant {
  readonly tokens: readonly Uint8Array[];
  readonly chain: Chain;
  readonly cids: readonly string[];
}

/** What a grant says, all of its links taken together. */
export interface GrantScope extends Omit<ReadArgs, 'fields'> {
  /** What it lets its holder do: that of the last link. */
  readonly command: GrantCommand;
  readonly owner: Did;
  /** Absent: attributes and data. */
  readonly fields?: 'attributes';
  /** Whose peers alone may use it. */
  readonly within?: Did;
  /** Who may use it or hand it on: the audience of the last link. */
  readonly holder: Did;
  /** CID of the last link: the name under which it is revoked. */
  readonly id: string;
  /** Seconds since 1970, the first that comes. */
  readonly expires?: number;
  readonly notBefore?: number;
  /** How many more links it may get; absent: as many as a chain may have. */
  readonly handOns?: number;
}

/**
 * A grant by `signer`: the owner, or who holds `held` from the owner. The whole chain, root first.
 * Throws where the chain would be too long.
 */
export function mintGrant(
  signer: Signer,
  random: Random,
  held: readonly Uint8Array[],
  terms: GrantTerms,
): readonly Uint8Array[] {
  const { owner, audience, stream, from, to, expires, handOns, purpose, fields, within } = terms;
  const policy: Statement[] = [is('stream', stream)];
  if (from !== undefined) policy.push(atLeast('from', from));
  if (to !== undefined) policy.push(atMost('to', to));
  if (purpose !== undefined) policy.push(is('purpose', purpose));
  if (fields !== undefined && fields !== 'data') policy.push(is('fields', fields));
  policy.push(atMost('hw.depth', held.length + 1 + handOns));
  if (within !== undefined) policy.push(is('hw.invokerOrg', within));
  const { command = readCommand } = terms;
  return [...held, delegate(signer, random, { command, owner, audience, policy, expires })];
}

/** Hands a whole grant on; what its links say holds for the next holder too. */
export function handOn(
  signer: Signer,
  random: Random,
  grant: readonly Uint8Array[],
  next: { readonly owner: Did; readonly audience: Did },
): readonly Uint8Array[] {
  const last = decodeDelegation(grant.at(-1) ?? new Uint8Array(0));
  const command = (last.ok ? grantCommand(last.value.command) : undefined) ?? readCommand;
  return [...grant, delegate(signer, random, { ...next, command, policy: [], expires: undefined })];
}

function grantCommand(text: string): GrantCommand | undefined {
  return grantCommands.find((command) => command === text);
}

/** The organisation's leave for one of its peers to give grants in its name. */
export function mintGranting(
  signer: Signer,
  random: Random,
  peer: Did,
  command: GrantCommand = readCommand,
  expires?: TimeMs,
): Uint8Array {
  const owner = didFromKey(signer.publicKey);
  return delegate(signer, random, {
    command,
    owner,
    audience: peer,
    policy: [],
    expires,
  });
}

interface Link {
  readonly command: GrantCommand;
  readonly owner: Did;
  readonly audience: Did;
  readonly policy: readonly Statement[];
  readonly expires: TimeMs | undefined;
}

function delegate(
  signer: Signer,
  random: Random,
  { command, owner, audience, policy, expires }: Link,
): Uint8Array {
  return mintDelegation(signer, {
    audience,
    subject: owner,
    command,
    policy,
    nonce: random.bytes(12),
    expires: expires === undefined ? null : Math.floor(expires / 1000),
  });
}

/** Puts the delegations of a container in the order of their chain. Codes: `ucan-chain`, those of `decodeChain`. */
export function orderGrant(hasher: Hasher, tokens: readonly Uint8Array[]): Result<Grant> {
  if (tokens.length > protocol.maxProofLinks) {
    return err(fault('ucan-over-limit', `a chain of ${tokens.length} delegations`));
  }
  const left = new Map<Uint8Array, { readonly issuer: Did; readonly audience: Did }>();
  let next: Did | undefined;
  for (const [index, token] of tokens.entries()) {
    const link = decodeDelegation(token);
    if (!link.ok) return err({ ...link.error, place: { ...link.error.place, index } });
    left.set(token, link.value);
    if (link.value.issuer === link.value.subject) next = link.value.issuer;
  }
  const ordered: Uint8Array[] = [];
  while (left.size > 0) {
    const found = [...left].find(([, { issuer }]) => issuer === next);
    if (found === undefined) return err(fault('ucan-chain', 'the delegations are not one chain'));
    left.delete(found[0]);
    ordered.push(found[0]);
    next = found[1].audience;
  }
  const chain = decodeChain(ordered);
  if (!chain.ok) return chain;
  const cids = ordered.map((token) => tokenCid(hasher, token));
  return ok({ tokens: ordered, chain: chain.value, cids });
}

/** What the links of a grant allow together. Code: `grant-args` where it is not for one stream. */
export function scopeOf({ chain, cids }: Grant): Result<GrantScope> {
  const [root, leaf, id] = [chain[0], chain.at(-1), cids.at(-1)];
  const stream = first(chain, (link) => fixedTo(link.policy, 'stream'));
  if (root === undefined || leaf === undefined || id === undefined) return noStream;
  if (typeof stream !== 'string' || !isStreamName(stream)) return noStream;
  const command = grantCommand(leaf.command);
  if (command === undefined) return noStream;
  const purpose = first(chain, (link) => fixedTo(link.policy, 'purpose'));
  const fields = first(chain, (link) => fixedTo(link.policy, 'fields'));
  const within = first(chain, (link) => fixedTo(link.policy, 'hw.invokerOrg'));
  const organisation = typeof within === 'string' ? parseDid(within) : undefined;
  const from = least(Math.max, chain, (link) => boundOf(link.policy, '>=', 'from'));
  const to = least(Math.min, chain, (link) => boundOf(link.policy, '<=', 'to'));
  const expires = least(Math.min, chain, (link) => link.expires ?? undefined);
  const notBefore = least(Math.max, chain, (link) => link.notBefore);
  const depth = least(Math.min, chain, (link) => boundOf(link.policy, '<=', 'hw.depth'));
  return ok({
    command,
    owner: root.issuer,
    holder: leaf.audience,
    id,
    stream: asStreamName(stream),
    from: from ?? 0,
    ...(to === undefined ? {} : { to }),
    ...(typeof purpose === 'string' ? { purpose } : {}),
    ...(fields === 'attributes' ? { fields } : {}),
    ...(organisation?.ok === true ? { within: organisation.value } : {}),
    ...(expires === undefined ? {} : { expires }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(depth === undefined ? {} : { handOns: Math.max(0, depth - chain.length) }),
  });
}

const noStream = err(fault('grant-args', 'this is not a grant of one stream'));

/** All that a grant allows, as the arguments of an invocation. */
export function widestArgs(scope: GrantScope): ReadArgs {
  const { stream, from, to, purpose, fields = 'data' } = scope;
  return {
    stream,
    from,
    ...(to === undefined ? {} : { to }),
    fields,
    ...(purpose === undefined ? {} : { purpose }),
  };
}

/** Would its holder be let in with it now? Revocations apart. Codes: those of `verifyChain`, `grant-args`. */
export function checkGrant(crypto: Crypto, grant: Grant, now: TimeMs): Result<GrantScope> {
  const scope = scopeOf(grant);
  if (!scope.ok) return scope;
  const { owner, holder, command, within = holder } = scope.value;
  const hw = { depth: grant.chain.length, invokerOrg: within, now: Math.floor(now / 1000) };
  const verified = verifyChain(crypto, grant.chain, {
    subject: owner,
    holder,
    command,
    args: { ...argsMap(widestArgs(scope.value)), hw },
    time: now,
  });
  return verified.ok ? scope : verified;
}

/** An invocation by the holder, with its grant: what goes into the grant field of a request. */
export function mintReading(
  signer: Signer,
  random: Random,
  grant: Grant,
  reading: {
    readonly owner: Did;
    /** The peer that is asked. */
    readonly audience: Did;
    readonly args: ReadArgs;
    readonly now: TimeMs;
  },
): string {
  const { owner, audience, args, now } = reading;
  const issuedAt = Math.floor(now / 1000);
  const command = grantCommand(grant.chain.at(-1)?.command ?? '') ?? readCommand;
  const invocation = mintInvocation(signer, {
    // As its chain has it: the owner may go by another DID now.
    subject: grant.chain[0]?.issuer ?? owner,
    audience,
    command,
    args: argsMap(args),
    proofs: grant.cids,
    nonce: random.bytes(16),
    issuedAt,
    expires: issuedAt + protocol.maxInvocationSeconds,
  });
  return formatContainer([...grant.tokens, invocation]);
}

function argsMap({ stream, from, to, fields, purpose }: ReadArgs): UcanMap {
  return {
    stream,
    from,
    ...(to === undefined ? {} : { to }),
    fields,
    ...(purpose === undefined ? {} : { purpose }),
  };
}

function first<T>(chain: Chain, read: (link: Chain[number]) => T | undefined): T | undefined {
  for (const link of chain) {
    const value = read(link);
    if (value !== undefined) return value;
  }
  return undefined;
}

function least(
  choose: (a: number, b: number) => number,
  chain: Chain,
  read: (link: Chain[number]) => number | undefined,
): number | undefined {
  let found: number | undefined;
  for (const link of chain) {
    const value = read(link);
    if (value !== undefined) found = found === undefined ? value : choose(found, value);
  }
  return found;
}
