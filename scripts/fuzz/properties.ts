/**
 * What must hold for any input, judged for one: each returns the code of a refusal or `ok`, and
 * throws a `Broken` where a property does not hold. Whatever else is thrown is a broken one too.
 */
import { compare, concat, equal, fromUtf8, toHex } from '../../src/bytes.ts';
import { codes } from '../../src/codes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { didKey } from '../../src/ids.ts';
import type { Result } from '../../src/result.ts';
import {
  decodeUcan,
  encodeUcan,
  type UcanMap,
  type UcanValue,
} from '../../src/access/ucan-cbor.ts';
import { verifyChain } from '../../src/access/ucan-chain.ts';
import {
  decodeContainer,
  formatContainer,
  parseContainer,
} from '../../src/access/ucan-container.ts';
import { decodeDelegation } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { decodeInvocation, type Invocation } from '../../src/access/ucan-invocation.ts';
import { judgeInvocation, type Court } from '../../src/access/ucan-judge.ts';
import { parsePolicy, policyValue, satisfied } from '../../src/access/ucan-policy.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { readRevocation, Revocations } from '../../src/access/ucan-revocations.ts';
import { parseSelector, select } from '../../src/access/ucan-selector.ts';
import { rememberingCrypto } from '../../src/access/verified-signatures.ts';
import { now, proof, reader, serving, type Seed } from './corpus.ts';

/** The tokens of the corpus come again and again. */
const crypto = rememberingCrypto(nodeCrypto, 1000);

export class Broken extends Error {}

/** What policies and selectors are tried on. */
const sample: UcanMap = {
  stream: 'orders',
  from: 7,
  to: 9,
  fields: 'data',
  purpose: 'billing',
  name: 'orders',
  partition: 0,
  list: [1, 'two', null, [3]],
  map: { 'a b': new Uint8Array([1, 2, 3]), c: { d: 'é' } },
  a: [{ b: {} }],
  hw: { depth: 2, invokerOrg: reader.did, now: now / 1000 },
};

/** The tokens that may verify: those of the corpus, byte for byte. */
export class Properties {
  readonly #originals = new Set<string>();

  constructor(seeds: readonly Seed[]) {
    this.#originals.add(toHex(proof));
    for (const { bytes, tokens } of seeds) {
      for (const token of [bytes, ...tokens]) this.#originals.add(toHex(token));
    }
  }

  /** `signed`: the mutation was signed anew by who issued the token, so it may verify. */
  delegation(bytes: Uint8Array, signed: boolean): string {
    const read = decodeDelegation(bytes);
    if (!read.ok) return refusal(read, /^ucan-/);
    const { issuer, audience, subject, command, policy, nonce, notBefore, expires, meta } =
      read.value;
    const fields: Record<string, UcanValue> = {
      iss: issuer,
      aud: audience,
      sub: subject,
      cmd: command,
    };
    Object.assign(fields, { pol: policyValue(policy), nonce, exp: expires });
    if (notBefore !== undefined) fields['nbf'] = notBefore;
    if (meta !== undefined) fields['meta'] = meta;
    sameToken(bytes, 'dlg', read.value, fields);
    satisfied(policy, sample);
    const claim = {
      subject: subject ?? issuer,
      holder: audience,
      command,
      args: sample,
      time: now,
    };
    if (!signed && verifyChain(crypto, [read.value], claim).ok) this.#unsigned(bytes, () => true);
    if (!signed) {
      this.#unsigned(bytes, () =>
        crypto.verify(didKey(issuer), read.value.signed, read.value.signature),
      );
    }
    return 'ok';
  }

  invocation(bytes: Uint8Array, signed: boolean, proofs: readonly Uint8Array[] = [proof]): string {
    const read = decodeInvocation(bytes);
    if (!read.ok) return refusal(read, /^ucan-/);
    reencodes(bytes, read.value);
    const judged = judgeInvocation(court(), read.value, proofs, { organisation: reader.did, now });
    if (!judged.ok) return refusal(judged, /^(?:ucan-|rate-limited$)/);
    if (!signed) this.#unsigned(bytes, () => true);
    // By its CID: a changed token may lie beside the true one, of which it is a copy.
    for (const token of signed ? [] : proofs) {
      if (judged.value.cids.includes(tokenCid(crypto, token))) this.#unsigned(token, () => true);
    }
    return 'ok';
  }

  revocation(bytes: Uint8Array, signed: boolean): string {
    const read = readRevocation(crypto, bytes);
    if (!read.ok) return refusal(read, /^ucan-/);
    if (!signed) this.#unsigned(bytes, () => true);
    const kept = new Revocations(1);
    if (!kept.add(read.value).ok || kept.size !== 1) throw new Broken('a revocation is not kept');
    return 'ok';
  }

  /** As text or bytes; its tokens are then read as those of a grant that somebody shows. */
  container(bytes: Uint8Array, signed: boolean): string {
    const read = decodeContainer(bytes);
    const text = fromUtf8(bytes);
    if (text.ok && parseContainer(text.value).ok !== read.ok) {
      throw new Broken('text and bytes of a container are judged differently');
    }
    if (!read.ok) return refusal(read, /^ucan-container$/);
    const again = formatContainer(read.value);
    const tokens = parseContainer(again);
    const sorted = [...read.value].sort(compare);
    if (!tokens.ok || !equal(concat(...tokens.value), concat(...sorted))) {
      throw new Broken('a container does not survive being written');
    }
    const inOrder = sorted.every((token, i) => token === read.value[i]);
    if (inOrder && bytes[0] === 0x43 && text.ok && text.value !== again) {
      throw new Broken('two texts of one container');
    }
    let outcome = 'ok';
    for (const token of read.value) {
      const others = read.value.filter((one) => one !== token);
      if (decodeInvocation(token).ok) outcome = this.invocation(token, signed, others);
      else this.delegation(token, signed);
    }
    return outcome;
  }

  #unsigned(bytes: Uint8Array, verifies: () => boolean): void {
    const good = verifies();
    if (good === this.#originals.has(toHex(bytes))) return;
    throw new Broken(good ? 'a changed token verifies' : 'an original does not verify');
  }
}

export function policy(bytes: Uint8Array): string {
  const value = decodeUcan(bytes);
  if (!value.ok) return refusal(value, /^ucan-encoding$/);
  const read = parsePolicy(value.value);
  if (!read.ok) return refusal(read, /^ucan-(?:field|operator|selector)$/);
  if (!equal(encodeUcan(policyValue(read.value)), bytes))
    throw new Broken('a policy changes when written');
  satisfied(read.value, sample);
  return 'ok';
}

export function selector(text: string): string {
  const read = parseSelector(text);
  if (!read.ok) return refusal(read, /^ucan-selector$/);
  if (read.value.text !== text) throw new Broken('a selector changes when read');
  select(read.value, sample);
  return 'ok';
}

function court(): Court {
  return {
    crypto,
    self: serving.did,
    replays: new Replays(now / 1000 - 10, 4),
    revocations: new Revocations(4),
  };
}

function refusal(result: Result<unknown>, known: RegExp): string {
  if (result.ok) throw new Broken('not a refusal');
  const { code } = result.error;
  if (!Object.hasOwn(codes, code) || !known.test(code)) throw new Broken(`the code ${code}`);
  return code;
}

function reencodes(bytes: Uint8Array, invocation: Invocation): void {
  const { issuer, subject, audience, command, args, proofs, nonce } = invocation;
  const { expires, issuedAt, meta } = invocation;
  // What of a token is only checked (`cause`), or read into another form (links), is as it came.
  const { cause, prf } = payloadOf(bytes);
  if (!Array.isArray(prf) || prf.length !== proofs.length) throw new Broken('proofs were lost');
  const fields: Record<string, UcanValue> = { iss: issuer, sub: subject, cmd: command, args, prf };
  Object.assign(fields, { nonce, exp: expires });
  if (audience !== undefined) fields['aud'] = audience;
  if (issuedAt !== undefined) fields['iat'] = issuedAt;
  if (meta !== undefined) fields['meta'] = meta;
  if (cause !== undefined) fields['cause'] = cause;
  sameToken(bytes, 'inv', invocation, fields);
}

function payloadOf(bytes: Uint8Array): Readonly<Record<string, UcanValue>> {
  const value = decodeUcan(bytes);
  if (!value.ok || !Array.isArray(value.value)) throw new Broken('not an envelope');
  const entries = Object.entries(value.value[1]);
  const payload: unknown = entries.find(([key]) => key !== 'h')?.[1];
  return isRecord(payload) ? payload : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, UcanValue>> {
  return typeof value === 'object' && value !== null;
}

const header = Uint8Array.of(0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71);

function sameToken(
  bytes: Uint8Array,
  kind: 'dlg' | 'inv',
  { release, signature }: { readonly release: string; readonly signature: Uint8Array },
  payload: UcanMap,
): void {
  const again = encodeUcan([signature, { h: header, [`ucan/${kind}@${release}`]: payload }]);
  if (!equal(again, bytes)) throw new Broken('a token changes when it is read and written');
}
