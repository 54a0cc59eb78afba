/**
 * What a verifier asks of a checkpoint beyond its being sound: whose it is, and who cosigned it.
 * Stated on a command line, in a C2SP tlog-policy file (policy-file.ts), or by the stream itself in
 * its genesis:
 *
 *   witnesses  { keys: [text: vkey or did:key of a cosigner, …], quorum: 1..number of keys }
 *
 * A quorum counts keys, never names or lines: a key counts once however often it signed.
 */
import { equal } from '../bytes.ts';
import type { CborMap } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, never, ok, type Result } from '../result.ts';
import type { Did, PublicKey } from '../types.ts';
import { parseCosigner } from './cosignature.ts';
import { FieldReader } from './fields.ts';
import type { NoteKey } from './note.ts';

/** Which sets of cosigners are enough. */
export type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'key'; readonly key: PublicKey }
  | {
      readonly kind: 'group';
      /** 1 to the number of members. */
      readonly threshold: number;
      readonly members: readonly Quorum[];
    };

export interface TrustPolicy {
  /** One of them must be the owner or the signing key; none: not asked. */
  readonly owners: readonly Did[];
  /** One of them must have signed; none: not asked. */
  readonly logs: readonly NoteKey[];
  /** Cosigners whose lines are read. */
  readonly witnesses: readonly NoteKey[];
  readonly quorum: Quorum;
}

export const noPolicy: TrustPolicy = {
  owners: [],
  logs: [],
  witnesses: [],
  quorum: { kind: 'none' },
};

/** Does the policy ask for anything? */
export function isStated(policy: TrustPolicy): boolean {
  return policy.owners.length > 0 || policy.logs.length > 0 || policy.quorum.kind !== 'none';
}

/** Are these cosigners enough? Repeats count once. */
export function quorumMet(quorum: Quorum, cosigners: readonly PublicKey[]): boolean {
  switch (quorum.kind) {
    case 'none':
      return true;
    case 'key':
      return cosigners.some((key) => equal(key, quorum.key));
    case 'group': {
      const met = quorum.members.filter((member) => quorumMet(member, cosigners));
      return met.length >= quorum.threshold;
    }
    default:
      return never(quorum);
  }
}

/** `threshold` of these keys. */
export function thresholdOf(witnesses: readonly NoteKey[], threshold: number): Quorum {
  const keys: PublicKey[] = [];
  for (const { publicKey } of witnesses) {
    if (!keys.some((key) => equal(key, publicKey))) keys.push(publicKey);
  }
  return { kind: 'group', threshold, members: keys.map((key) => ({ kind: 'key', key })) };
}

/** A policy as a command line states it. */
export interface StatedTrust {
  /** did:key of owners, or of the writer keys themselves. */
  readonly owners?: readonly string[];
  /** Vkeys or did:keys of cosigners. */
  readonly witnesses?: readonly string[];
  /** How many of them; all where absent. */
  readonly quorum?: number;
}

/**
 * The policy of a command line. Codes: bad-did, bad-base58, bad-vkey, policy-key-twice (two names of
 * one key), policy-threshold.
 */
export function statedPolicy(h: Hasher, stated: StatedTrust): Result<TrustPolicy> {
  const owners: Did[] = [];
  for (const text of stated.owners ?? []) {
    const did = parseDid(text);
    if (!did.ok) return did;
    owners.push(did.value);
  }
  const witnesses = parseWitnesses(h, stated.witnesses ?? []);
  if (!witnesses.ok) return witnesses;
  const number = witnesses.value.length;
  const threshold = stated.quorum ?? number;
  if (number === 0 && threshold === 0) return ok({ ...noPolicy, owners });
  const wrong = checkThreshold(threshold, number);
  if (wrong !== undefined) return err(wrong);
  const quorum = thresholdOf(witnesses.value, threshold);
  return ok({ owners, logs: [], witnesses: witnesses.value, quorum });
}

/**
 * The stream's own policy, as its genesis states it; undefined where it states none. Code
 * witness-policy.
 */
export function streamPolicy(h: Hasher, map: CborMap | undefined): Result<TrustPolicy | undefined> {
  if (map === undefined) return ok(undefined);
  const fields = new FieldReader(map, 'witness-policy');
  const texts: string[] = [];
  for (const item of fields.list('keys')) {
    if (typeof item === 'string') texts.push(item);
    else fields.refuse('field keys holds something else than text');
  }
  const threshold = fields.uint('quorum', protocol.maxPolicyNames);
  const wrong = fields.end() ?? checkThreshold(threshold, texts.length);
  if (wrong !== undefined) return err(fault('witness-policy', wrong.message));
  const witnesses = parseWitnesses(h, texts);
  if (!witnesses.ok) return err(fault('witness-policy', witnesses.error.message));
  const quorum = thresholdOf(witnesses.value, threshold);
  return ok({ ...noPolicy, witnesses: witnesses.value, quorum });
}

/** The map for a genesis, of vkeys or did:keys and how many of them; read by `streamPolicy`. */
export function witnessesMap(keys: readonly string[], quorum: number): CborMap {
  return { keys, quorum };
}

function parseWitnesses(h: Hasher, texts: readonly string[]): Result<readonly NoteKey[]> {
  if (texts.length > protocol.maxPolicyNames) {
    return err(fault('policy-syntax', `more than ${protocol.maxPolicyNames} witnesses`));
  }
  const keys: NoteKey[] = [];
  for (const text of texts) {
    const key = parseCosigner(h, text);
    if (!key.ok) return key;
    if (keys.some(({ publicKey }) => equal(publicKey, key.value.publicKey))) {
      return err(fault('policy-key-twice', `the key of ${key.value.name} is listed twice`));
    }
    keys.push(key.value);
  }
  return ok(keys);
}

/** Code policy-threshold. */
export function checkThreshold(threshold: number, members: number): Fault | undefined {
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= members) return undefined;
  return fault('policy-threshold', `a threshold of ${threshold} among ${members}`);
}
