/**
 * Proof of a range of entries of a Headwater log, a text file with the ending .range-proof, offline
 * and trusting nobody: that [from, to) of the signed tree has the root that an event cites, and where
 * one entry stands in it.
 *
 *   headwater/range-proof@v1
 *   keys <base64 dag-cbor>        {keyChain}, as in the extra line of a proof
 *   range <from> <to>             decimal, `to` exclusive
 *   <base64 hash> …               range proof (range.ts) in the tree of the checkpoint
 *   entry <index> <base64 leaf>   where one entry is shown
 *   <base64 hash> …               its place in the range (range-member.ts)
 *
 *   <signed checkpoint, verbatim>
 *
 * Lines end in LF; the number of hashes follows from the numbers.
 */
import { fromBase64, fromUtf8, toBase64, utf8 } from '../bytes.ts';
import { at, fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type Hash, type LogId, type LogIndex, type PublicKey } from '../types.ts';
import { parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import type { Leaf } from './leaf.ts';
import { decodeKeyChain, encodeKeyChain, type ProofKeyChain } from './proof-extra.ts';
import { checkEntryPlace, readProofKeys } from './proof-keys.ts';
import {
  broken,
  judgeLines,
  understoodLines,
  type Attested,
  type ProvenVerdict,
} from './proven.ts';
import { verifyRange } from './range.ts';
import { verifyRangeMember } from './range-member.ts';
import { parseDecimal, parseHashLines } from './tlog-proof.ts';
import { leafHash } from './tree.ts';
import { noPolicy, type TrustPolicy } from './trust-policy.ts';

const rangeProofHeader = 'headwater/range-proof@v1';

export interface RangeProofFile {
  readonly keyChain: ProofKeyChain;
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly proof: readonly Hash[];
  readonly entry?: {
    readonly index: LogIndex;
    readonly leaf: Uint8Array;
    readonly proof: readonly Hash[];
  };
  readonly checkpoint: string;
}

export interface ProvenRange extends Attested {
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly rangeRoot: Hash;
  readonly entry?: { readonly index: LogIndex; readonly leafHash: Hash; readonly leaf: Leaf };
  readonly genesis: Genesis;
  readonly size: number;
  readonly root: Hash;
  readonly signer: PublicKey;
}

export type RangeVerdict = ProvenVerdict<ProvenRange>;

/** The text of a proof; checked as `verifyRangeFile` does, without the lines that only some know. */
export function makeRangeFile(env: BlockEnv, file: RangeProofFile): Result<string> {
  const checkpoint = parseCheckpoint(file.checkpoint);
  if (!checkpoint.ok) return checkpoint;
  const shown = checkAllButLines(env, file, checkpoint.value);
  if (!shown.ok) return shown;
  const { signer, genesis } = shown.value;
  const signed = { checkpoint: checkpoint.value, signer, genesis };
  const understood = understoodLines(env.crypto, signed, []);
  if (!understood.ok) return understood;
  return ok(formatRangeFile({ ...file, checkpoint: understood.value }));
}

function formatRangeFile(file: RangeProofFile): string {
  const { entry } = file;
  const lines = [
    rangeProofHeader,
    `keys ${toBase64(encodeKeyChain(file.keyChain))}`,
    `range ${file.from} ${file.to}`,
    ...file.proof.map(toBase64),
    ...(entry === undefined
      ? []
      : [`entry ${entry.index} ${toBase64(entry.leaf)}`, ...entry.proof.map(toBase64)]),
  ];
  return `${lines.join('\n')}\n\n${file.checkpoint}`;
}

/** Codes: proof-too-large, proof-header, proof-syntax, integer-too-large, bad-base64, proof-hash,
 * proof-length, proof-extra (the keys). */
export function parseRangeFile(bytes: Uint8Array): Result<RangeProofFile> {
  if (bytes.length > protocol.maxProofBytes) return refuse('proof-too-large', 'a proof too large');
  const text = fromUtf8(bytes);
  if (!text.ok) return refuse('proof-syntax', 'not UTF-8');
  const end = text.value.indexOf('\n\n');
  if (end < 0) return refuse('proof-syntax', 'no blank line before the checkpoint');
  const [header, keys = '', range = '', ...rest] = text.value.slice(0, end).split('\n');
  if (header !== rangeProofHeader) return refuse('proof-header', `not ${rangeProofHeader}`);
  const chain = keys.startsWith('keys ') ? fromBase64(keys.slice(5)) : undefined;
  if (chain === undefined) return refuse('proof-syntax', 'no line with the keys');
  if (!chain.ok) return err(at(chain.error, { line: 2 }));
  const keyChain = decodeKeyChain(chain.value);
  if (!keyChain.ok) return keyChain;
  const [word, fromText = '', toText = '', ...more] = range.split(' ');
  if (word !== 'range' || more.length > 0) return refuse('proof-syntax', 'no line with the range');
  const from = parseDecimal(fromText, 'proof-syntax');
  const to = parseDecimal(toText, 'proof-syntax');
  if (!from.ok || !to.ok) return from.ok ? fail(to) : from;
  const split = rest.findIndex((line) => line.startsWith('entry '));
  const proof = parseHashes(split < 0 ? rest : rest.slice(0, split));
  if (!proof.ok) return proof;
  const base = {
    keyChain: keyChain.value,
    from: asLogIndex(from.value),
    to: asLogIndex(to.value),
    proof: proof.value,
    checkpoint: text.value.slice(end + 2),
  };
  if (split < 0) return ok(base);
  const entry = parseEntry(rest.slice(split));
  return entry.ok ? ok({ ...base, entry: entry.value }) : entry;
}

function parseEntry([line = '', ...hashes]: readonly string[]): Result<
  NonNullable<RangeProofFile['entry']>
> {
  const [, indexText = '', leafText = '', ...more] = line.split(' ');
  if (more.length > 0) return refuse('proof-syntax', 'more behind the leaf');
  const index = parseDecimal(indexText, 'proof-syntax');
  if (!index.ok) return index;
  const leaf = fromBase64(leafText);
  if (!leaf.ok) return leaf;
  const proof = parseHashes(hashes);
  if (!proof.ok) return proof;
  return ok({ index: asLogIndex(index.value), leaf: leaf.value, proof: proof.value });
}

/** A range proof has three parts, each at most as long as another proof. */
function parseHashes(lines: readonly string[]): Result<readonly Hash[]> {
  const most = protocol.maxProofHashes;
  const hashes: Hash[] = [];
  for (let i = 0; i < lines.length; i += most) {
    if (i >= 3 * most) return refuse('proof-length', 'too many hashes');
    const part = parseHashLines(lines.slice(i, i + most));
    if (!part.ok) return part;
    hashes.push(...part.value);
  }
  return ok(hashes);
}

/**
 * Verifies a proof file. Codes of `broken`: those of `parseRangeFile`, `parseCheckpoint`,
 * `readProofKeys`, `verifyRange`, `checkEntryPlace`, `verifyRangeMember` and `checkLines`; of
 * `untrusted` those of `verifyEventProof`.
 */
export function verifyRangeFile(
  env: BlockEnv,
  bytes: Uint8Array,
  policy: TrustPolicy = noPolicy,
): RangeVerdict {
  const file = parseRangeFile(bytes);
  if (!file.ok) return broken(file.error);
  const checkpoint = parseCheckpoint(file.value.checkpoint);
  if (!checkpoint.ok) return broken(checkpoint.error);
  const shown = checkAllButLines(env, file.value, checkpoint.value);
  if (!shown.ok) return broken(shown.error);
  const { signer, genesis } = shown.value;
  const signed = { checkpoint: checkpoint.value, signer, genesis };
  return judgeLines(env.crypto, file.value.checkpoint, signed, shown.value, policy);
}

type Shown = Omit<ProvenRange, keyof Attested>;

function checkAllButLines(
  env: BlockEnv,
  { keyChain, from, to, proof, entry }: RangeProofFile,
  { logId, size, root }: ParsedCheckpoint,
): Result<Shown> {
  const { crypto } = env;
  const keys = readProofKeys(env, logId, keyChain, size);
  if (!keys.ok) return keys;
  const range = verifyRange(crypto, from, to, size, proof, root);
  if (!range.ok) return range;
  const { genesis, signer } = keys.value;
  const shown = { logId, from, to, rangeRoot: range.value, genesis, signer, size, root };
  if (entry === undefined) return ok(shown);
  const { index, leaf } = entry;
  const placed = checkEntryPlace(logId, genesis, keyChain, index, leaf);
  if (!placed.ok) return err(at(placed.error, { index }));
  const hash = leafHash(crypto, leaf);
  const place = { index, from, to };
  const member = verifyRangeMember(crypto, hash, place, entry.proof, range.value);
  if (!member.ok) return err(at(member.error, { index }));
  return ok({ ...shown, entry: { index, leafHash: hash, leaf: placed.value } });
}

/** Is this a file of this kind, whatever is in it? */
export function isRangeFile(bytes: Uint8Array): boolean {
  const head = utf8(`${rangeProofHeader}\n`);
  return bytes.length >= head.length && head.every((byte, i) => bytes[i] === byte);
}

function fail<T>(result: Result<T>): { readonly ok: false; readonly error: Fault } {
  return result.ok ? refuse('proof-syntax', 'not a number') : result;
}
function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
