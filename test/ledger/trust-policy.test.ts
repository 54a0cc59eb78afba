import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import { formatVkey, noteKey, type NoteKey } from '../../src/ledger/note.ts';
import { parsePolicyFile, type PolicyFile } from '../../src/ledger/policy-file.ts';
import {
  isStated,
  noPolicy,
  quorumMet,
  statedPolicy,
  streamPolicy,
  thresholdOf,
  witnessesMap,
  type Quorum,
} from '../../src/ledger/trust-policy.ts';
import { protocol } from '../../src/limits.ts';
import type { PublicKey } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { ran, suite } from '../support/vectors.ts';

const path = 'note/policy.json';
const h = nodeCrypto;

type Group = [number, ...(string | Group)[]];
interface Suite {
  published_ok: { policy: string; threshold: number; members: number }[];
  published_errors: { why: string; policy: string }[];
  derived_eval: { policy: string; cases: { cosigned_by: string[]; satisfied: boolean }[] }[];
  derived_errors: { why: string; policy: string }[];
  satisfied_groups_published: {
    cases: { group: Group; cosigned_by: string[]; satisfied: boolean }[];
  };
}

const codes: Record<string, string> = {
  'no quorum': 'policy-quorum',
  'unknown quorum name': 'policy-name',
  'duplicate name': 'policy-name',
  'negative threshold': 'policy-threshold',
  'witness named all': 'policy-name',
  'group named none': 'policy-name',
  'threshold zero': 'policy-threshold',
  'threshold above n': 'policy-threshold',
  'no members': 'policy-syntax',
  'forward reference': 'policy-name',
  'member listed twice in one group': 'policy-member',
  'member used by two groups': 'policy-member',
  'two quorum lines': 'policy-quorum',
  'none as member': 'policy-member',
  'duplicate witness key': 'policy-key-twice',
  'unknown keyword': 'policy-syntax',
  'control character': 'policy-syntax',
};

function keyOf(label: number): PublicKey {
  return signerFromSeed(new Uint8Array(32).fill(label)).publicKey;
}
function cosigner(label: number, name = `w${label}.example`): NoteKey {
  return noteKey(h, name, 4, keyOf(label));
}
const vkeys = [1, 2, 3, 4, 5].map((label) => formatVkey(cosigner(label)));
const lines = vkeys.map((vkey, i) => `witness w${i + 1} ${vkey}\n`);

function read(text: string): PolicyFile {
  return must(parsePolicyFile(h, utf8(text)));
}
function wrong(text: string, code: string, line?: number): void {
  const result = parsePolicyFile(h, utf8(text));
  refused(result, code, text);
  if (!result.ok && line !== undefined) assert.equal(result.error.place?.line, line, text);
}

describe('trust policy files', () => {
  it('are read as the suite says', function () {
    const file = suite<Suite>(this, path);
    for (const { policy, threshold, members } of file.published_ok) {
      const { quorum, witnesses } = read(policy);
      assert.ok(quorum.kind === 'group');
      assert.deepEqual([quorum.threshold, quorum.members.length], [threshold, members]);
      assert.ok(witnesses.every((key) => key.algorithm === 4));
      assert.equal(witnesses.length, members);
    }
    for (const { why, policy } of [...file.published_errors, ...file.derived_errors]) {
      refused(parsePolicyFile(h, utf8(policy)), codes[why] ?? 'no code', why);
    }
    ran(path, file.published_ok.length + file.published_errors.length + file.derived_errors.length);
  });

  it('are met by the cosigners that the suite says', function () {
    const { derived_eval } = suite<Suite>(this, path);
    for (const { policy, cases } of derived_eval) {
      const { quorum, names, logs } = read(policy);
      assert.equal(logs.length, 1);
      for (const { cosigned_by, satisfied } of cases) {
        const keys = cosigned_by.map((name) => {
          const named = names.get(name);
          assert.ok(named?.kind === 'key');
          return named.key;
        });
        assert.equal(quorumMet(quorum, keys), satisfied, `${policy} ${cosigned_by.join()}`);
        // However often one signs, it counts once.
        assert.equal(quorumMet(quorum, [...keys, ...keys]), satisfied);
      }
      ran(path, cases.length);
    }
  });

  it('have groups that the published evaluations agree with', function () {
    const { cases } = suite<Suite>(this, path).satisfied_groups_published;
    const keys: Record<string, PublicKey> = { w1: keyOf(1), w2: keyOf(2), w3: keyOf(3) };
    const keyNamed = (name: string): PublicKey => keys[name] ?? keyOf(9);
    const build = ([threshold, ...members]: Group): Quorum => ({
      kind: 'group',
      threshold,
      members: members.map((member) =>
        typeof member === 'string' ? { kind: 'key', key: keyNamed(member) } : build(member),
      ),
    });
    for (const { group, cosigned_by, satisfied } of cases) {
      assert.equal(quorumMet(build(group), cosigned_by.map(keyNamed)), satisfied);
    }
    ran(path, cases.length);
  });

  it('keep addresses, comments and opaque names apart', () => {
    const [one = '', two = ''] = vkeys;
    const log = formatVkey(noteKey(h, 'headwater/x', 1, keyOf(8)));
    const policy = read(
      `# c\n\t# d\n\nlog ${log} https://l/\nwitness #1 ${one} https://w/#x\n` +
        `witness ä ${two} # none\ngroup g any #1 ä\n quorum\tg`,
    );
    assert.deepEqual(
      policy.addresses.map(({ key, url }) => [key.name, url]),
      [
        ['headwater/x', 'https://l/'],
        ['w1.example', 'https://w/#x'],
      ],
    );
    assert.deepEqual([...policy.names.keys()], ['#1', 'Ã¤', 'g']);
    assert.ok(quorumMet(policy.quorum, [keyOf(2)]) && !quorumMet(policy.quorum, [keyOf(3)]));
    assert.ok(isStated(policy));
  });

  it('say the line of what is wrong', () => {
    const [one = '', two = ''] = lines;
    wrong(`${one}quorum w2\n`, 'policy-name', 2);
    wrong(`${one}\n${two}group g 1 w1 x\nquorum g\n`, 'policy-name', 4);
    wrong(`${one}witness w2 nonsense\nquorum w1\n`, 'bad-vkey', 2);
    wrong(`${one}witness w2\nquorum w1\n`, 'bad-vkey', 2);
    wrong(`${one}witness\nquorum w1\n`, 'policy-syntax', 2);
    wrong(`${one}quorum w1 w1\n`, 'policy-syntax', 2);
    wrong(`${one}quorum\n`, 'policy-syntax', 2);
    wrong(`${one}group g +1 w1\nquorum g\n`, 'policy-threshold', 2);
    wrong(`${one}group g 01 w1\nquorum g\n`, 'policy-threshold', 2);
    wrong(`${one}group w1 1 w1\nquorum w1\n`, 'policy-name', 2);
    wrong(`log ${vkeys[0]}\nquorum none\n`, 'bad-vkey', 1);
    wrong(`${one.trimEnd()} https://x y\nquorum w1\n`, 'policy-syntax', 1);
    wrong(`quorum none\r\n`, 'policy-syntax', 1);
    wrong(`quorum none\u007f\n`, 'policy-syntax', 1);
    refused(parsePolicyFile(h, concat(utf8('witness w1 '), Uint8Array.of(0xff))), 'bad-vkey');
  });

  it('hold their limits and take what C2SP asks for', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, i) => {
        const vkey = formatVkey(noteKey(h, `w${i}`, 4, h.sha256(utf8(`${i}`)) as never));
        return `witness w${i} ${vkey}\n`;
      }).join('');
    const groups = Array.from({ length: 32 }, (_, i) => `group g${i} any w${i}\n`).join('');
    assert.equal(read(`${many(32)}${groups}quorum g0\n`).names.size, 64);
    const full = many(protocol.maxPolicyNames);
    wrong(`${full}witness more ${vkeys[0]}\n`, 'policy-syntax', protocol.maxPolicyNames + 1);
    const padding = '#'.repeat(protocol.maxPolicyBytes - 13);
    assert.ok(parsePolicyFile(h, utf8(`${padding}\nquorum none\n`)).ok);
    wrong(`${padding}#\nquorum none\n`, 'policy-syntax');
  });

  it('never throw on bytes that are no policy', () => {
    const word = fc.constantFrom('log', 'witness', 'group', 'quorum', 'all', 'any', '1', 'w1', 'g');
    const text = fc.array(fc.oneof(word, fc.constantFrom(' ', '\n', '\t'), fc.string()));
    fc.assert(
      fc.property(text, fc.uint8Array(), (words, bytes) => {
        parsePolicyFile(h, utf8(words.join(' ')));
        parsePolicyFile(h, bytes);
      }),
      { numRuns: 300 },
    );
  });
});

describe('stated trust', () => {
  const did = didFromKey(keyOf(1));

  it('is read from a command line', () => {
    const policy = must(statedPolicy(h, { owners: [did], witnesses: vkeys, quorum: 2 }));
    assert.deepEqual(policy.owners, [did]);
    assert.deepEqual(policy.quorum, thresholdOf(policy.witnesses, 2));
    assert.ok(!quorumMet(policy.quorum, [keyOf(1), keyOf(1)]));
    assert.ok(quorumMet(policy.quorum, [keyOf(1), keyOf(5)]));
    const all = must(statedPolicy(h, { witnesses: vkeys.slice(0, 2) }));
    assert.ok(!quorumMet(all.quorum, [keyOf(1)]) && quorumMet(all.quorum, [keyOf(1), keyOf(2)]));
    assert.deepEqual(must(statedPolicy(h, {})), noPolicy);
    assert.ok(!isStated(noPolicy) && isStated(must(statedPolicy(h, { owners: [did] }))));
  });

  it('takes a cosigner by the did:key that it is named by', () => {
    const { witnesses } = must(statedPolicy(h, { witnesses: [did], quorum: 1 }));
    assert.deepEqual(witnesses, [selfNamedCosigner(h, keyOf(1))]);
    assert.equal(witnesses[0]?.name, did);
    const vkey = formatVkey(selfNamedCosigner(h, keyOf(1)));
    assert.deepEqual(must(statedPolicy(h, { witnesses: [vkey] })).witnesses, witnesses);
    const plain = formatVkey(noteKey(h, 'w1.example', 1, keyOf(1)));
    assert.deepEqual(must(statedPolicy(h, { witnesses: [plain] })).witnesses, [cosigner(1)]);
  });

  it('is refused where it cannot be meant', () => {
    refused(statedPolicy(h, { owners: ['acme'] }), 'bad-did');
    refused(statedPolicy(h, { witnesses: ['acme'] }), 'bad-vkey');
    refused(statedPolicy(h, { witnesses: ['did:key:z6Mk'] }), 'bad-vkey');
    refused(statedPolicy(h, { witnesses: vkeys, quorum: 0 }), 'policy-threshold');
    refused(statedPolicy(h, { witnesses: vkeys, quorum: 6 }), 'policy-threshold');
    refused(statedPolicy(h, { witnesses: vkeys, quorum: 1.5 }), 'policy-threshold');
    refused(statedPolicy(h, { quorum: 1 }), 'policy-threshold');
    const other = formatVkey(cosigner(1, 'other.example'));
    refused(statedPolicy(h, { witnesses: [...vkeys, other] }), 'policy-key-twice');
  });

  it('of a stream is read from its genesis, or makes its proofs untrusted', () => {
    assert.equal(must(streamPolicy(h, undefined)), undefined);
    const policy = must(streamPolicy(h, witnessesMap([did, vkeys[1] ?? ''], 2)));
    assert.ok(policy && quorumMet(policy.quorum, [keyOf(2), keyOf(1)]));
    assert.ok(!quorumMet(policy.quorum, [keyOf(2)]));
    const bad = [
      {},
      { keys: vkeys },
      { keys: vkeys, quorum: 0 },
      { keys: vkeys, quorum: 6 },
      { keys: [], quorum: 0 },
      { keys: [keyOf(1)], quorum: 1 },
      { keys: ['x'], quorum: 1 },
      { keys: [did, did], quorum: 1 },
      { keys: vkeys, quorum: 1, more: 1 },
      { keys: vkeys, quorum: '1' },
    ];
    for (const map of bad) refused(streamPolicy(h, map), 'witness-policy', JSON.stringify(map));
  });
});
