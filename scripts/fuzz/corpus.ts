/**
 * The seed corpus of the token fuzzer, test/access/corpus: what our own minters make of fixed keys.
 *
 *   delegation-*  invocation-*  revocation-*  policy-*   .b64: base64 of the dag-cbor
 *   container-*  grant-*                                  .txt: the text form
 *   selectors.txt                                         one a line
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fromBase64, toBase64, utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Result } from '../../src/result.ts';
import { asStreamName, asTimeMs, type TimeMs } from '../../src/types.ts';
import {
  handOn,
  mintGrant,
  mintGranting,
  mintReading,
  orderGrant,
} from '../../src/access/grant.ts';
import { person, type Person } from '../../test/access/tokens.ts';
import { mintRevocation } from '../../src/access/revoke.ts';
import { encodeUcan, type UcanMap, type UcanValue } from '../../src/access/ucan-cbor.ts';
import { formatContainer, parseContainer } from '../../src/access/ucan-container.ts';
import { mintDelegation, type DelegationTerms } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { mintInvocation } from '../../src/access/ucan-invocation.ts';
import { parsePolicy, policyValue, type Policy } from '../../src/access/ucan-policy.ts';

export const folder: URL = new URL('../../test/access/corpus/', import.meta.url);
/** When everything of the corpus is valid. */
export const now: TimeMs = asTimeMs(1_763_683_200_000);
const seconds = now / 1000;

export const owner: Person = person(1);
export const serving: Person = person(2);
const readerOrg = person(3);
export const reader: Person = person(9);
/** Who may have signed a seed. */
export const people: readonly Person[] = [owner, serving, readerOrg, reader];

export type Kind =
  'delegation' | 'invocation' | 'revocation' | 'policy' | 'container' | 'grant' | 'selectors';
const kinds: readonly Kind[] = [
  'delegation',
  'invocation',
  'revocation',
  'policy',
  'container',
  'grant',
  'selectors',
];

export interface Seed {
  readonly kind: Kind;
  readonly name: string;
  /** The dag-cbor of a token or policy; UTF-8 of the text of the others. */
  readonly bytes: Uint8Array;
  /** Of a container or grant. */
  readonly tokens: readonly Uint8Array[];
}

/** Reads the files of the folder, in the order of their names; throws where one is not as it should be. */
export function readCorpus(): readonly Seed[] {
  const names = readdirSync(folder).filter((name) => /\.(?:b64|txt)$/.test(name));
  return names.sort().map((name) => {
    const kind = kinds.find((one) => name.startsWith(one));
    if (kind === undefined) throw new Error(`what is ${name}?`);
    const text = readFileSync(new URL(name, folder), 'utf8').trim();
    const bytes = name.endsWith('.b64') ? must(fromBase64(text.replaceAll('\n', ''))) : utf8(text);
    const isContainer = kind === 'container' || kind === 'grant';
    return { kind, name, bytes, tokens: isContainer ? must(parseContainer(text)) : [] };
  });
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}

/** The files by name: the same at every run. */
export function makeCorpus(): ReadonlyMap<string, string> {
  drawn = 0;
  const files = new Map<string, string>();
  for (const [name, bytes] of [...delegations(), ...invocations(), ...policies()]) {
    const lines = toBase64(bytes).match(/.{1,100}/g) ?? [];
    files.set(`${name}.b64`, `${lines.join('\n')}\n`);
  }
  for (const [name, text] of containers()) files.set(`${name}.txt`, `${text}\n`);
  files.set('selectors.txt', `${selectors.join('\n')}\n`);
  return files;
}

let drawn = 0;
const random = { bytes: (length: number) => new Uint8Array(length).fill((drawn += 1) & 255) };

function delegation(by: Person, changes: Partial<DelegationTerms>): Uint8Array {
  return mintDelegation(by.signer, {
    audience: serving.did,
    subject: owner.did,
    command: '/flow/read',
    policy: [],
    nonce: new Uint8Array(12).fill(7),
    expires: seconds + 3600,
    ...changes,
  });
}

function policyOf(value: UcanValue): Policy {
  return must(parsePolicy(value));
}

const busyPolicy: UcanValue = [
  ['==', '.stream', 'orders'],
  ['>=', '.from', 0],
  ['<=', '.hw.depth', 3],
  ['like', '.purpose', 'bill*'],
  [
    'or',
    [
      ['not', ['<', '.from', 5]],
      ['any', '.list[]', ['>', '.', -3]],
    ],
  ],
  [
    'and',
    [
      ['!=', '.fields', null],
      ['all', '.map["a b"]?', ['==', '.[0:2]', new Uint8Array(2)]],
    ],
  ],
];

function delegations(): readonly (readonly [string, Uint8Array])[] {
  const meta: UcanMap = { note: 'm', deep: [[[{ a: [1, -1, true, null, 2 ** 53 - 1] }]]] };
  return [
    ['delegation-plain', delegation(owner, {})],
    ['delegation-policy', delegation(owner, { policy: policyOf(busyPolicy) })],
    ['delegation-times', delegation(serving, { notBefore: seconds - 1, expires: null, meta })],
    ['delegation-top', delegation(owner, { command: '/', subject: null, audience: reader.did })],
    ['delegation-rc', mintDelegation(owner.signer, rcTerms, '1.0.0-rc.1')],
  ];
}

const rcTerms: DelegationTerms = {
  audience: reader.did,
  subject: owner.did,
  command: '/flow/write',
  policy: policyOf([
    ['==', '.name', 'orders'],
    ['==', '.partition', 0],
  ]),
  nonce: new Uint8Array(12).fill(9),
  expires: 1,
};

/** The delegation that the lone invocations of the corpus name. */
export const proof: Uint8Array = delegation(owner, {
  audience: reader.did,
  policy: policyOf([
    ['==', '.stream', 'orders'],
    ['<=', '.hw.depth', 1],
  ]),
});

function invocations(): readonly (readonly [string, Uint8Array])[] {
  const base = {
    subject: owner.did,
    audience: serving.did,
    command: '/flow/read',
    proofs: [tokenCid(nodeCrypto, proof)],
    issuedAt: seconds,
    expires: seconds + 300,
  };
  const args = { stream: 'orders', from: 0, fields: 'data' };
  const full = {
    ...args,
    to: 2 ** 40,
    purpose: 'billing',
    list: [1, [2, { x: new Uint8Array(9) }]],
  };
  const nonce = new Uint8Array(16);
  const revoked = { id: tokenCid(nodeCrypto, proof), path: [tokenCid(nodeCrypto, proof)], now };
  return [
    ['invocation-read', mintInvocation(reader.signer, { ...base, args, nonce: nonce.fill(1) })],
    [
      'invocation-full',
      mintInvocation(reader.signer, { ...base, args: full, nonce: nonce.fill(2), meta: { a: 1 } }),
    ],
    ['invocation-own', mintInvocation(owner.signer, { ...base, proofs: [], args, nonce })],
    ['revocation-owner', mintRevocation(owner.signer, random, revoked)],
    ['revocation-bare', mintRevocation(serving.signer, random, { ...revoked, path: [] })],
  ];
}

function policies(): readonly (readonly [string, Uint8Array])[] {
  const nested: UcanValue = [
    'not',
    [
      'or',
      [
        ['and', [['not', ['==', '.a', [{ b: {} }]]]]],
        ['like', '.', '**\\*a*'],
      ],
    ],
  ];
  return [
    ['policy-busy', encodeUcan(policyValue(policyOf(busyPolicy)))],
    ['policy-nested', encodeUcan([nested, nested])],
  ];
}

function containers(): readonly (readonly [string, string])[] {
  const granting = mintGranting(owner.signer, random, serving.did);
  const given = mintGrant(serving.signer, random, [granting], {
    owner: owner.did,
    audience: readerOrg.did,
    stream: asStreamName('orders'),
    from: 5,
    to: 2 ** 41,
    expires: asTimeMs(now + 3_600_000),
    handOns: 1,
    purpose: 'billing',
  });
  const own = { owner: owner.did, audience: reader.did };
  const grant = must(orderGrant(nodeCrypto, handOn(readerOrg.signer, random, given, own)));
  const reading = mintReading(reader.signer, random, grant, {
    owner: owner.did,
    audience: serving.did,
    args: {
      stream: asStreamName('orders'),
      from: 5,
      to: 2 ** 41,
      fields: 'data',
      purpose: 'billing',
    },
    now,
  });
  return [
    ['container-one', formatContainer([granting])],
    ['container-chain', formatContainer(grant.tokens)],
    ['grant-reading', reading],
  ];
}

const selectors = [
  '.',
  '.a',
  '.hw.depth',
  '.a?.b??.c',
  '.["any key"][0][-1]',
  '.list[]',
  '.list[1:-1]?',
  '.[:2][3:]',
  '.["\\u00e9\\"\\\\"]',
  '.a_1.B2[999999999999999]',
];
