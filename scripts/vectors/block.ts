/** Golden vectors of blocks: whole logs, the state after each block, reduced forms, refused blocks. */
import { toHex, utf8 } from '../../src/bytes.ts';
import type { CborMap } from '../../src/cbor.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import { reduceBlock } from '../../src/ledger/block-encode.ts';
import type { VerifiedBlock } from '../../src/ledger/block.ts';
import { buildBlock, buildFirstBlock, type Draft } from '../../src/ledger/build-block.ts';
import { controlMap } from '../../src/ledger/control.ts';
import { genesisMap, type Genesis } from '../../src/ledger/genesis.ts';
import { makeRecovery, makeRotation } from '../../src/ledger/key-chain.ts';
import { encodeParents } from '../../src/ledger/leaf.ts';
import type { LogState } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { offlineEnv } from '../../src/verify.ts';
import { asHash, asLogIndex, asStreamName, asTimeMs, type TimeMs } from '../../src/types.ts';
import { invalidBlocks } from './block-invalid.ts';
import { accepted, hexes, labelled, labelledSigner, type Format, type Json } from './format.ts';
import { plain } from './leaf.ts';

const env = offlineEnv(nodeCrypto);
const start = 1_763_683_200_000;
const recovery = labelledSigner('recovery/acme');

function time(offset: number): TimeMs {
  return asTimeMs(start + offset);
}

function event(id: string, data: string, parents?: Uint8Array): Draft {
  const context = { id, source: '/vectors', specversion: '1.0', type: 'org.example.t' };
  const attributes = utf8(JSON.stringify(context));
  return { kind: 'event', event: { attributes, kind: 1, data: utf8(data), context }, parents };
}
function control(map: CborMap): Draft {
  return { kind: 'control', map };
}

/** A log in the making; `blocks` with what each came from. */
export interface GoldenLog {
  readonly name: string;
  readonly genesis: Genesis;
  readonly blocks: VerifiedBlock[];
  readonly seeds: Uint8Array[];
}

function open(name: string, visibility: Genesis['visibility']): GoldenLog {
  const signer = labelledSigner(`writer/${name}`);
  const genesis: Genesis = {
    type: 'genesis',
    owner: didFromKey(signer.publicKey),
    name: asStreamName('orders'),
    partition: 0,
    partitions: 1,
    created: time(0),
    writerKey: signer.publicKey,
    recoveryHash: nodeCrypto.sha256(recovery.publicKey),
    visibility,
    retention: { keep: 'all' },
    random: labelled(`random/${name}`).slice(0, 16),
    proof: [],
  };
  const seed = labelled(`seed/${name}/0`);
  const built = buildFirstBlock(env, signer, genesis, [], { time: time(0), seed });
  return { name, genesis, blocks: [accepted(built, `${name} 0`)], seeds: [seed] };
}

function stateOf(log: GoldenLog): LogState {
  const state = log.blocks.at(-1)?.state;
  if (state === undefined) throw new RangeError('a log has at least one block');
  return state;
}

function add(log: GoldenLog, signer: Signer, drafts: readonly Draft[], lowest?: number): void {
  const state = stateOf(log);
  const seed = labelled(`seed/${log.name}/${log.blocks.length}`);
  const options = { time: time(10 * log.blocks.length), seed };
  const low = lowest === undefined ? {} : { lowest: asLogIndex(lowest) };
  const built = accepted(
    buildBlock(env, state, signer, drafts, { ...options, ...low }),
    `${log.name} ${log.blocks.length}`,
  );
  accepted(verifyBlock(env, state, built.wire, { form: 'gossip' }), 'read back');
  log.blocks.push(built);
  log.seeds.push(seed);
}

/** Events, parents, a redaction, a seal alone, a rotation, a new recovery hash, a lower bound. */
function publicLog(): GoldenLog {
  const log = open('acme', 'public');
  const writer = labelledSigner('writer/acme');
  const next = labelledSigner('writer/acme/2');
  add(log, writer, [event('1', '{"n":1}'), event('2', '{"n": 2.0}'), event('3', 'null')]);
  const { log: own, root } = stateOf(log);
  const parents = encodeParents([
    { log: own, from: asLogIndex(0), to: asLogIndex(6), rangeRoot: root },
    { log: labelled('log/globex'), from: asLogIndex(7), to: asLogIndex(8), rangeRoot: root },
  ]);
  const redact = control({ type: 'redact', index: 3, reason: 'personal data' });
  add(log, writer, [event('4', '[]', parents), redact]);
  add(log, writer, []);
  const place = asLogIndex(stateOf(log).size);
  add(log, writer, [control(controlMap(makeRotation(own, place, writer, next)))]);
  const index = asLogIndex(stateOf(log).size);
  const hash = asHash(nodeCrypto.sha256(labelledSigner('recovery/acme/2').publicKey));
  const renewed = controlMap(makeRecovery(own, index, recovery, hash));
  add(log, next, [control(renewed), event('5', '"x"')], 5);
  return log;
}

function opening(epoch: number, generation: number): Draft {
  return control({ type: 'epoch', epoch, generation, check: labelled(`check/${epoch}`) });
}
function sealed(epoch: number, label: string): Draft {
  return {
    kind: 'sealed',
    attributesCommitment: labelled(`attributes/${label}`),
    dataCommitment: labelled(`data/${label}`),
    epoch,
    body: labelled(`body/${label}`),
  };
}

/** Two epochs; the bodies are not real ciphertext, which no relay could tell. */
function sealedLog(): GoldenLog {
  const log = open('globex', 'sealed');
  const writer = labelledSigner('writer/globex');
  add(log, writer, [opening(0, 0), sealed(0, 'a'), sealed(0, 'b')]);
  add(log, writer, [sealed(0, 'c'), opening(7, 1), sealed(7, 'd')]);
  return log;
}

function directLog(): GoldenLog {
  const log = open('initech', 'direct');
  add(log, labelledSigner('writer/initech'), [event('1', '{}')]);
  return log;
}

function stateJson(state: LogState): Json {
  return {
    size: state.size,
    root: toHex(state.root),
    frontier: hexes(state.frontier),
    blocks: state.blocks,
    sealHash: toHex(state.sealHash),
    time: state.time,
    writerKey: toHex(state.writerKey),
    recoveryHash: toHex(state.recoveryHash),
    epoch: state.epoch ?? null,
    generation: state.generation ?? null,
    lowest: state.lowest,
  };
}

function logJson(log: GoldenLog): Json {
  return {
    name: log.name,
    logId: stateOf(log).logId,
    genesis: plain(genesisMap(log.genesis)),
    blocks: log.blocks.map((block, i) => ({
      seed: block.block.seed === null ? null : toHex(log.seeds[i] ?? new Uint8Array(0)),
      wire: toHex(block.wire),
      leaves: block.block.entries.map((_, n) => toHex(block.leaves.leaf(n))),
      checkpoint: block.block.checkpoint,
      stateAfter: stateJson(block.state),
    })),
  };
}

function reducedJson(log: GoldenLog, number: number, dropped: readonly number[]): Json {
  const [before, block] = [log.blocks[number - 1], log.blocks[number]];
  if (before === undefined || block === undefined) throw new RangeError('no such block');
  const keep = (position: number): boolean => !dropped.includes(position);
  const wire = reduceBlock(nodeCrypto, block.block, block.leaves, keep);
  const read = accepted(verifyBlock(env, before.state, wire, { form: 'any' }), 'reduced');
  if (toHex(read.state.root) !== toHex(block.state.root)) throw new Error('another root');
  return { log: log.name, number, dropped, wire: toHex(wire) };
}

async function make(): Promise<Json> {
  const logs = [publicLog(), sealedLog(), directLog()];
  const [acme, globex] = logs;
  if (acme === undefined || globex === undefined) throw new RangeError('no logs');
  return {
    logs: logs.map(logJson),
    reduced: [
      reducedJson(acme, 1, [1]),
      reducedJson(acme, 1, [0, 1, 2]),
      reducedJson(acme, 2, []),
      reducedJson(globex, 1, [2]),
    ],
    invalid: [...invalidBlocks(acme), ...invalidBlocks(globex)],
  };
}

export const block: Format = { name: 'block', make };
