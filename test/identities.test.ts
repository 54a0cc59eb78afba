import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../src/crypto-node.ts';
import { Identities, type Succession, type SuccessionTerms } from '../src/identities.ts';
import { didFromKey, logIdFromHash } from '../src/ids.ts';
import { asTimeMs, type Did } from '../src/types.ts';

const hash = (label: string): ReturnType<typeof nodeCrypto.sha256> =>
  nodeCrypto.sha256(utf8(label));
const did = (label: string): Did => didFromKey(signerFromSeed(hash(label)).publicKey);
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(did) as [Did, Did, Did, Did];

function step(from: Did, to: Did, terms?: SuccessionTerms): Succession {
  const places = { registry: logIdFromHash(hash(from)), successor: logIdFromHash(hash(to)) };
  return { from, to, ...places, time: asTimeMs(1), ...(terms === undefined ? {} : { terms }) };
}
function known(...list: Succession[]): Identities {
  const identities = new Identities();
  identities.replace(list);
  return identities;
}
const stolen = (...kept: string[]): SuccessionTerms => ({ reason: 'stolen', kept: new Set(kept) });

describe('identities', () => {
  it('call an organisation by its newest DID, and know all that it had', () => {
    const identities = known(step(b, c), step(a, b));
    assert.equal(identities.now(a), c);
    assert.equal(identities.now(d), d);
    for (const one of [a, b, c]) assert.deepEqual(identities.all(one), [c, b, a]);
    assert.deepEqual(identities.all(d), [d]);
    assert.equal(identities.of(a)?.to, b);
  });

  it('take no ring, and no second successor of one DID', () => {
    const identities = known(step(a, b), step(b, a), step(a, c));
    assert.equal(identities.now(a), b);
    assert.equal(identities.now(b), b);
    assert.equal(identities.now(c), c);
  });

  it('let nothing count that a stolen key signed, but what is named', () => {
    const identities = known(step(a, b, stolen('kept')));
    assert.equal(identities.void(a, 'kept'), undefined);
    assert.equal(identities.void(a, 'other')?.code, 'did-superseded');
    assert.equal(identities.void(a, undefined)?.code, 'did-superseded');
    assert.equal(identities.void(b, 'other'), undefined);
  });

  it('let all count that a lost key signed, and that of which the terms are not here yet', () => {
    assert.equal(known(step(a, b, { reason: 'lost', kept: new Set() })).void(a, 'x'), undefined);
    assert.equal(known(step(a, b)).void(a, 'x'), undefined);
  });

  it('tell of what is new, and of nothing else', () => {
    const identities = new Identities();
    let told = 0;
    using _listening = identities.onChange(() => void (told += 1));
    identities.replace([]);
    identities.replace([step(a, b)]);
    identities.replace([step(a, b)]);
    identities.replace([step(a, b, stolen('x'))]);
    identities.replace([step(a, b, stolen('x', 'y'))]);
    identities.replace([]);
    assert.equal(told, 4);
  });

  it('end, whatever the list: every DID has one newest one, which all of its DIDs share', () => {
    const some = fc.constantFrom(a, b, c, d);
    fc.assert(
      fc.property(fc.array(fc.tuple(some, some), { maxLength: 12 }), (pairs) => {
        const identities = known(...pairs.map(([from, to]) => step(from, to)));
        for (const one of [a, b, c, d]) {
          const newest = identities.now(one);
          assert.equal(identities.now(newest), newest);
          assert.equal(identities.all(one)[0], newest);
          assert.ok(identities.all(one).includes(one));
          for (const other of identities.all(one)) assert.equal(identities.now(other), newest);
        }
      }),
    );
  });
});
