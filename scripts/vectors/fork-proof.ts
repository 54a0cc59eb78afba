/** Golden vectors of fork proofs. */
import { concat, toHex } from '../../src/bytes.ts';
import type { Code } from '../../src/errors.ts';
import {
  decodeForkProof,
  encodeForkProof,
  makeForkProof,
  verifyForkProof,
  type ForkProof,
} from '../../src/ledger/fork-proof.ts';
import { addLines } from '../../src/ledger/cosignature.ts';
import { parseNoteText } from '../../src/ledger/note.ts';
import { rotationsOf } from '../../src/ledger/proof-extra.ts';
import { asHash, asLogIndex } from '../../src/types.ts';
import { EvidenceLog, evidenceEnv } from './evidence-log.ts';
import {
  accepted,
  flipped,
  hexes,
  labelled,
  labelledSigner,
  refused,
  type Format,
  type Json,
} from './format.ts';

const writer = labelledSigner('writer/forked');
const next = labelledSigner('writer/forked/2');
const common = EvidenceLog.open('forked').withEvents(['1', '2']);
const one = common.withEvents(['"one"']).withEvents(['3', '4', '5']);
const two = common.withEvents(['"two"', '6']).withRotation(writer, next).withEvents(['7'], next);
const { genesisLeaf } = common.state;

async function forkOf(a: EvidenceLog, b: EvidenceLog, how: string): Promise<Uint8Array> {
  return accepted(await makeForkProof(evidenceEnv, genesisLeaf, a.side(), b.side()), how);
}

async function valid(how: string, a: EvidenceLog, b: EvidenceLog): Promise<Json> {
  const bytes = await forkOf(a, b, how);
  const { rootAtA, consistency } = accepted(decodeForkProof(bytes), how);
  const shown = accepted(verifyForkProof(evidenceEnv, bytes), how);
  const branches = [shown.a, shown.b].map(({ note, size, root, signer }) => ({
    checkpoint: note,
    size,
    root: toHex(root),
    signer: toHex(signer),
  }));
  return {
    how,
    proof: toHex(bytes),
    logId: shown.logId,
    a: branches[0] ?? null,
    b: branches[1] ?? null,
    rootAtA: toHex(rootAtA),
    consistency: hexes(consistency),
  };
}

type Refused = readonly [how: string, proof: Uint8Array, code: Code];

function changer(proof: ForkProof): (part: Partial<ForkProof>) => Uint8Array {
  return (part) => encodeForkProof({ ...proof, ...part });
}

function wrongEncodings(bytes: Uint8Array): readonly Refused[] {
  return [
    ['eight items, version 2', bytes.with(1, 2), 'fork-shape'],
    ['seven items', bytes.with(0, 0x87), 'fork-shape'],
    ['a byte after it', concat(bytes, Uint8Array.of(0)), 'fork-encoding'],
    ['cut', bytes.slice(0, -1), 'fork-encoding'],
  ];
}

function wrongBranches(proof: ForkProof): readonly Refused[] {
  const { a, b } = proof;
  const [rotation] = b.rotations;
  const seal = common.blocks[0]?.leaves.leaf(1).slice();
  if (rotation === undefined || seal === undefined) throw new RangeError('a field is missing');
  const change = changer(proof);
  const rotated = (rotations: typeof b.rotations): Uint8Array => change({ b: { ...b, rotations } });
  const elsewhere = { ...rotation, index: asLogIndex(rotation.index + 1) };
  const sealed = { index: asLogIndex(1), leaf: seal };
  const { signatures } = accepted(parseNoteText(b.checkpoint), 'checkpoint');
  const renamed = signatures.map((line) => ({ ...line, keyId: line.keyId + 1 }));
  const twice = { ...a, checkpoint: accepted(addLines(a.checkpoint, renamed), 'two lines') };
  const other = EvidenceLog.open('globex');
  const foreign = { ...a, checkpoint: other.checkpoint };
  return [
    [
      'genesis of another log',
      change({ genesisLeaf: other.state.genesisLeaf }),
      'checkpoint-origin',
    ],
    ['a seal for the genesis', change({ genesisLeaf: seal }), 'genesis-missing'],
    ['no rotation', rotated([]), 'checkpoint-key-id'],
    ['rotation elsewhere', rotated([elsewhere]), 'fork-keys'],
    ['rotation twice', rotated([rotation, rotation]), 'fork-keys'],
    ['a seal among the rotations', rotated([sealed, rotation]), 'fork-keys'],
    ['A of another log', change({ a: foreign }), 'checkpoint-origin'],
    ['A with two lines', change({ a: twice }), 'checkpoint-signatures'],
    ['A and B swapped', change({ a: b, b: a }), 'fork-sizes'],
  ];
}

function wrongProofs(proof: ForkProof): readonly Refused[] {
  const { a, consistency, rootAtA } = proof;
  const [first] = consistency;
  if (first === undefined) throw new RangeError('the proof is empty');
  const change = changer(proof);
  const early = { ...a, checkpoint: common.checkpoint };
  const altered = consistency.with(0, asHash(flipped(first)));
  const longer = [...consistency, labelled('more')];
  return [
    ['A before the histories part', change({ a: early }), 'consistency-fails'],
    ['root at A changed', change({ rootAtA: asHash(flipped(rootAtA)) }), 'consistency-fails'],
    ['a hash changed', change({ consistency: altered }), 'consistency-fails'],
    ['a hash missing', change({ consistency: consistency.slice(1) }), 'consistency-fails'],
    ['a hash more', change({ consistency: longer }), 'consistency-fails'],
    ['one history', forkless(two), 'fork-none'],
  ];
}

/** The same checkpoint twice. */
function forkless(log: EvidenceLog): Uint8Array {
  const branch = { rotations: rotationsOf(log.controls()), checkpoint: log.checkpoint };
  const { root } = log.state;
  return encodeForkProof({ genesisLeaf, a: branch, b: branch, rootAtA: root, consistency: [] });
}

async function make(): Promise<Json> {
  const bytes = await forkOf(one.until(2), two, 'golden');
  const golden = accepted(decodeForkProof(bytes), 'golden');
  const wrong = [...wrongEncodings(bytes), ...wrongBranches(golden), ...wrongProofs(golden)];
  const invalid = wrong.map(([how, proof, code]) => ({
    how,
    proof: toHex(proof),
    code: refused(verifyForkProof(evidenceEnv, proof), code, how),
  }));
  return {
    valid: [
      await valid('the first blocks after they part', one.until(2), two.until(2)),
      await valid('B has rotated its key', one.until(2), two),
      await valid('A has rotated its key', one, two),
      await valid(
        'B is the block of the rotation, signed by the old key',
        one.until(2),
        two.until(3),
      ),
      await valid('equal sizes', common.withEvents(['8']), common.withEvents(['9'])),
    ],
    invalid,
  };
}

export const forkProof: Format = { name: 'fork-proof', make };
