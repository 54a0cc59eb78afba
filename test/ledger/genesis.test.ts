import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { decodeCborMap, encodeCbor, type CborMap } from '../../src/cbor.ts';
import { controlMap, parseControl, type Control } from '../../src/ledger/control.ts';
import { genesisMap, parseGenesis, type Genesis } from '../../src/ledger/genesis.ts';
import {
  asHash,
  asLogIndex,
  asPublicKey,
  asSignature,
  asStreamName,
  asTreeSize,
} from '../../src/types.ts';
import { testGenesis, testSigner } from '../support/blocks.ts';
import { must, refused } from '../support/result.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const hash = bytes(32).map(asHash);
const key = bytes(32).map(asPublicKey);
const signature = bytes(64).map(asSignature);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Plain objects, as the parsers give them. */
const own = { noNullPrototype: true };

const plain: Genesis = testGenesis(testSigner(1));
const stored = (map: CborMap): CborMap => must(decodeCborMap(encodeCbor(map)));

function named(name: string): ReturnType<typeof parseGenesis> {
  return parseGenesis({ ...genesisMap(plain), name });
}

describe('a genesis', () => {
  it('comes back from its map with all that it may hold', () => {
    const arbitrary = fc.record(
      {
        contentType: fc.string(),
        schema: fc.string(),
        witnesses: fc.constant({ quorum: 2 }),
        stream: hash,
        proof: fc.array(fc.uint8Array(), { maxLength: 3 }),
        visibility: fc.constantFrom('public' as const, 'sealed' as const, 'direct' as const),
        successor: fc.record({
          log: hash,
          root: hash,
          size: fc.integer({ min: 1, max: 99 }),
          key,
          sig: signature,
        }),
      },
      { requiredKeys: ['stream'] },
    );
    fc.assert(
      fc.property(arbitrary, ({ successor, ...more }) => {
        const succession =
          successor === undefined
            ? { partition: 1, partitions: 2 }
            : {
                predecessor: {
                  log: successor.log,
                  root: successor.root,
                  size: asTreeSize(successor.size),
                },
                recovery: { key: successor.key, sig: successor.sig },
              };
        const genesis: Genesis = { ...plain, ...more, ...succession };
        assert.deepEqual(must(parseGenesis(stored(genesisMap(genesis)))), genesis);
      }),
      { numRuns: 50 },
    );
  });

  it('has a name that the rules allow, reserved ones too', () => {
    for (const name of ['a', '0.b_c-d', '_registry', '_journal', '_deadletter.orders']) {
      assert.equal(must(named(name)).name, asStreamName(name));
    }
    for (const name of ['', '_other', '_deadletter.', 'A', 'a'.repeat(64), 'a/b', '../a', '.a']) {
      refused(named(name), 'genesis-fields', name);
    }
  });

  it('is refused with any field of the wrong type', () => {
    const map = genesisMap(plain);
    for (const name of Object.keys(map)) {
      if (name === 'type') continue;
      const wrong = parseGenesis({ ...map, [name]: true });
      refused(wrong, 'genesis-fields', name);
    }
    refused(parseGenesis({ ...map, predecessor: { size: 1 } }), 'genesis-fields');
  });
});

describe('a control record', () => {
  const arbitrary: fc.Arbitrary<Exclude<Control, Genesis>> = fc.oneof(
    fc.record(
      {
        type: fc.constant('rotate' as const),
        newWriterKey: key,
        sigOld: signature,
        sigNew: signature,
      },
      own,
    ),
    fc.record(
      {
        type: fc.constant('recovery' as const),
        recoveryKey: key,
        newRecoveryHash: hash,
        sig: signature,
      },
      own,
    ),
    fc.record(
      {
        type: fc.constant('epoch' as const),
        epoch: uint32,
        generation: uint32,
        check: hash,
      },
      own,
    ),
    fc.record(
      {
        type: fc.constant('redact' as const),
        index: fc.nat().map(asLogIndex),
        reason: fc.string(),
      },
      own,
    ),
    fc.string().map((text) => ({ type: 'other' as const, map: { type: `later.${text}`, text } })),
  );

  it('comes back from its map, known or not', () => {
    fc.assert(
      fc.property(arbitrary, (control) => {
        const map = controlMap(control);
        const back = must(parseControl(stored(map)));
        assert.deepEqual(back, control);
        assert.equal(toHex(encodeCbor(stored(map))), toHex(encodeCbor(map)));
      }),
      { numRuns: 200 },
    );
  });

  it('of a known type has exactly its fields', () => {
    const prefixes = { rotate: 'rotation', recovery: 'recovery', epoch: 'epoch', redact: 'redact' };
    for (const [type, prefix] of Object.entries(prefixes)) {
      const code = `${prefix}-fields`;
      refused(parseControl({ type }), code);
      const [sample] = fc.sample(
        arbitrary.filter((control) => control.type === type),
        { numRuns: 1, seed: 7 },
      );
      assert.ok(sample);
      const map = controlMap(sample);
      must(parseControl(map));
      refused(parseControl({ ...map, extra: 1 }), code);
      for (const name of Object.keys(map)) {
        if (name === 'type') continue;
        const { [name]: _left, ...rest } = map;
        refused(parseControl(rest), code, name);
        refused(parseControl({ ...map, [name]: null }), code, name);
      }
    }
  });
});
