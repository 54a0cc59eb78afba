/** Golden vectors of proofs of one event: files, the policies they are held against, verdicts. */
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import type { Code } from '../../src/errors.ts';
import { didFromKey } from '../../src/ids.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import {
  makeEventProof,
  verifyEventProof,
  type EventProofInput,
  type ProvenEntry,
} from '../../src/ledger/event-proof.ts';
import { cosignNote, formatVkey, noteKey, parseNoteText } from '../../src/ledger/note.ts';
import { decodeExtra, encodeExtra, type ProofExtra } from '../../src/ledger/proof-extra.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from '../../src/ledger/tlog-proof.ts';
import { statedPolicy, witnessesMap, type StatedTrust } from '../../src/ledger/trust-policy.ts';
import { asLogIndex } from '../../src/types.ts';
import { EvidenceLog, evidenceEnv, showAll, showNothing } from './evidence-log.ts';
import { accepted, flipped, labelled, labelledSigner, type Format, type Json } from './format.ts';

const writer = labelledSigner('writer/evidence');
const next = labelledSigner('writer/evidence/2');
const witnesses = [1, 2, 3].map((n) => labelledSigner(`witness/${n}`));
const dids = witnesses.map(({ publicKey }) => didFromKey(publicKey));
const foreign = labelledSigner('witness/foreign');
const foreignKey = noteKey(h, 'foreign.example/w', 4, foreign.publicKey);

/** Genesis, seal | three events, seal | rotation, seal | two events, seal. */
function opened(states: boolean): EvidenceLog {
  const policy = states ? { witnesses: witnessesMap(dids, 2) } : {};
  return EvidenceLog.open('evidence', policy)
    .withEvents(['{"n":1}', '{"n": 2.0}', 'null'])
    .withRotation(writer, next)
    .withEvents(['[]', '"x"'], next);
}
const plain = opened(false);
const witnessed = opened(true);

function lines(log: EvidenceLog, by: readonly Signer[]): string {
  const { text } = accepted(parseNoteText(log.checkpoint), 'checkpoint');
  return by
    .map((signer, i) => {
      const { name } = selfNamedCosigner(h, signer.publicKey);
      return cosignNote(h, signer, name, text, BigInt(1_763_700_000 + i));
    })
    .join('');
}

async function proof(
  log: EvidenceLog,
  index: number,
  shown = showAll,
  cosigned = '',
  more: Partial<EventProofInput> = {},
): Promise<string> {
  const input = await log.proofInput(index, shown, cosigned);
  return accepted(makeEventProof(evidenceEnv, { ...input, ...more }), `proof of ${index}`);
}

function provenJson(proven: ProvenEntry): Json {
  const { attributes, data } = proven.disclosed;
  return {
    logId: proven.logId,
    index: proven.index,
    leafHash: toHex(proven.leafHash),
    size: proven.size,
    root: toHex(proven.root),
    owner: proven.genesis.owner,
    signer: toHex(proven.signer),
    attributes: attributes === undefined ? null : toHex(attributes.bytes),
    data: data === undefined ? null : toHex(data.bytes),
    kind: data?.kind ?? null,
    cosignatures: proven.cosignatures.map(({ name, key, timestamp, listed }) => ({
      name,
      key: toHex(key),
      timestamp: String(timestamp),
      listed,
    })),
    attestedBy: proven.attestedBy === undefined ? null : String(proven.attestedBy),
  };
}

/** A case that is not broken; `codes` is what the policies miss. */
function sound(how: string, text: string, stated: StatedTrust, ...codes: readonly Code[]): Json {
  const policy = accepted(statedPolicy(h, stated), how);
  const verdict = verifyEventProof(evidenceEnv, utf8(text), policy);
  if (verdict.verdict === 'broken') throw new Error(`${how}: ${verdict.reason.code}`);
  const found = verdict.verdict === 'intact' ? [] : verdict.reasons.map(({ code }) => code);
  if (found.join() !== codes.join()) throw new Error(`${how}: ${found.join()}`);
  const policyJson = {
    owners: stated.owners ?? [],
    witnesses: stated.witnesses ?? [],
    quorum: stated.quorum ?? 0,
  };
  const shown = provenJson(verdict.proven);
  return { how, proof: text, policy: policyJson, verdict: verdict.verdict, codes: found, shown };
}

async function soundCases(): Promise<readonly Json[]> {
  const cases: Json[] = [];
  for (let index = 0; index < plain.state.size; index++) {
    cases.push(sound(`entry ${index}`, await proof(plain, index), {}));
  }
  const some = { attributes: true, data: false };
  const cosigned = lines(plain, witnesses.slice(0, 2));
  const foreignLine = cosignNote(h, foreign, foreignKey.name, textOf(plain), 1_763_700_009n);
  const both = await proof(plain, 3, showAll, cosigned);
  const own = await proof(witnessed, 3, showAll, lines(witnessed, witnesses.slice(1)));
  const kept = await proof(plain, 3, showAll, foreignLine, { cosigners: [foreignKey] });
  const owner = didFromKey(writer.publicKey);
  cases.push(
    sound('at an older checkpoint', await proof(plain.until(1), 3), {}),
    sound('at the checkpoint of the rotation', await proof(plain.until(2), 3), {}),
    sound('attributes alone', await proof(plain, 3, some), {}),
    sound('data alone', await proof(plain, 3, { attributes: false, data: true }), {}),
    sound('nothing disclosed', await proof(plain, 3, showNothing), {}),
    sound('two cosigners, no policy', both, {}),
    sound('two of three', both, { witnesses: dids, quorum: 2 }),
    sound('three of three', both, { witnesses: dids, quorum: 3 }, 'quorum-missing'),
    sound('the owner trusted', both, { owners: [owner] }),
    sound('the signing key trusted', both, { owners: [didFromKey(next.publicKey)] }),
    sound('another owner trusted', both, { owners: dids }, 'owner-untrusted'),
    sound("the stream's own policy met", own, {}),
    sound("the stream's own policy missed", await proof(witnessed, 3), {}, 'quorum-missing'),
    sound('a cosigner known to nobody', kept, {}, 'cosigner-unknown'),
    sound('a cosigner known to the verifier', kept, {
      witnesses: [formatVkey(foreignKey)],
      quorum: 1,
    }),
  );
  return cases;
}

function textOf(log: EvidenceLog): string {
  return accepted(parseNoteText(log.checkpoint), 'checkpoint').text;
}

type Broken = readonly [how: string, proof: string, code: Code];

/** A proof taken apart, and put together with some of its parts replaced. */
class Golden {
  readonly whole: TlogProof;
  readonly inside: ProofExtra;

  constructor(text: string) {
    this.whole = accepted(parseTlogProof(utf8(text)), 'golden');
    this.inside = accepted(decodeExtra(this.whole.extra ?? new Uint8Array(0)), 'golden');
  }
  with(part: Partial<TlogProof>, extra: Partial<ProofExtra> = {}): string {
    const inside = encodeExtra({ ...this.inside, ...extra });
    return formatTlogProof({ ...this.whole, extra: inside, ...part });
  }
}

const other = labelled('other');

function brokenLines(text: string, golden: Golden): readonly Broken[] {
  const { index, hashes } = golden.whole;
  const at = (place: number): string => golden.with({ index: asLogIndex(place) });
  return [
    ['another header', text.replace('@v1', '@v2'), 'proof-header'],
    ['no extra line', text.replace(/extra .*\n/, ''), 'proof-extra'],
    ['index with a leading zero', text.replace('index ', 'index 0'), 'proof-syntax'],
    ['another index', at(index + 1), 'root-mismatch'],
    ['index at the size', at(plain.state.size), 'range-invalid'],
    ['index of the genesis', at(0), 'proof-place'],
    ['a hash missing', golden.with({ hashes: hashes.slice(1) }), 'proof-length'],
    ['a hash more', golden.with({ hashes: [...hashes, other] }), 'proof-length'],
    ['a hash changed', golden.with({ hashes: hashes.with(0, other) }), 'root-mismatch'],
    ['cut', text.slice(0, -1), 'note-malformed'],
  ];
}

function brokenKeys(golden: Golden): readonly Broken[] {
  const { leaf, keyChain } = golden.inside;
  const { genesisLeaf, rotations } = keyChain;
  const [rotation] = rotations;
  if (rotation === undefined) throw new RangeError('the key was not rotated');
  const keys = (list: typeof rotations, genesis = genesisLeaf): string =>
    golden.with({}, { keyChain: { genesisLeaf: genesis, rotations: list } });
  const rotated = (part: Partial<typeof rotation>): string => keys([{ ...rotation, ...part }]);
  const unsigned = rotated({ sigNew: rotation.sigOld });
  return [
    ['leaf changed', golden.with({}, { leaf: leaf.with(6, 255) }), 'root-mismatch'],
    ['genesis changed', keys(rotations, flipped(genesisLeaf)), 'block-log'],
    ['rotation left out', keys([]), 'checkpoint-key-id'],
    ['rotation twice', keys([rotation, rotation]), 'proof-keys'],
    ['rotation not in force', rotated({ index: asLogIndex(9) }), 'proof-keys'],
    ['rotation elsewhere', rotated({ index: asLogIndex(5) }), 'rotation-old-signature'],
    ['rotation not signed by its key', unsigned, 'rotation-new-signature'],
  ];
}

function brokenContent(golden: Golden): readonly Broken[] {
  const { attributes, data } = golden.inside.disclosed;
  if (attributes === undefined || data === undefined) throw new RangeError('not disclosed');
  const show = (disclosed: ProofExtra['disclosed']): string => golden.with({}, { disclosed });
  const context = (part: Partial<typeof attributes>): string =>
    show({ data, attributes: { ...attributes, ...part } });
  const content = (part: Partial<typeof data>): string =>
    show({ attributes, data: { ...data, ...part } });
  return [
    ['attributes changed', context({ bytes: utf8('{}') }), 'attributes-commitment'],
    ['attributes salt changed', context({ salt: other }), 'attributes-commitment'],
    ['data changed', content({ bytes: utf8('{"n": 2}') }), 'data-commitment'],
    ['kind changed', content({ kind: 3 }), 'data-commitment'],
    ['data salt changed', content({ salt: other }), 'data-commitment'],
  ];
}

function brokenCheckpoints(text: string, golden: Golden): readonly Broken[] {
  const { checkpoint } = golden.whole;
  const signed = (note: string): string => golden.with({ checkpoint: note });
  const cosigned = lines(plain, witnesses.slice(0, 1));
  const earlier = lines(plain.until(1), witnesses.slice(0, 1));
  const root = Buffer.from(plain.state.root).toString('base64');
  const changedRoot = checkpoint.replace(root, Buffer.from(other).toString('base64'));
  const changedSize = checkpoint.replace(`\n${plain.state.size}\n`, '\n10\n');
  return [
    ['root changed', signed(changedRoot), 'root-mismatch'],
    ['size changed', signed(changedSize), 'bad-signature'],
    ['checkpoint of another log', signed(EvidenceLog.open('globex').checkpoint), 'block-log'],
    ['a cosignature twice', text + cosigned + cosigned, 'checkpoint-signatures'],
    ['a cosignature of another checkpoint', text + earlier, 'bad-signature'],
  ];
}

async function make(): Promise<Json> {
  const text = await proof(plain, 3);
  const golden = new Golden(text);
  const wrong = [
    ...brokenLines(text, golden),
    ...brokenKeys(golden),
    ...brokenContent(golden),
    ...brokenCheckpoints(text, golden),
  ];
  const invalid = wrong.map(([how, text, code]) => {
    const verdict = verifyEventProof(evidenceEnv, utf8(text));
    const found = verdict.verdict === 'broken' ? verdict.reason.code : verdict.verdict;
    if (found !== code) throw new Error(`${how}: ${found} instead of ${code}`);
    return { how, proof: text, code };
  });
  return { valid: await soundCases(), invalid };
}

export const eventProof: Format = { name: 'event-proof', make };
