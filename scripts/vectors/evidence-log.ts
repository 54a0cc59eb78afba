/** A log with all that proofs are made from, for the golden proofs and for tests. */
import { concat, utf8 } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import type { VerifiedBlock } from '../../src/ledger/block.ts';
import { BranchNodes } from '../../src/ledger/branch-nodes.ts';
import { buildBlock, buildFirstBlock, type Draft } from '../../src/ledger/build-block.ts';
import { saltsAt } from '../../src/ledger/commitment.ts';
import { controlMap } from '../../src/ledger/control.ts';
import type { EventProofInput } from '../../src/ledger/event-proof.ts';
import type { ForkSide } from '../../src/ledger/fork-proof.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import type { BlockEnv } from '../../src/ledger/judges.ts';
import { makeRotation, type KeyEntry } from '../../src/ledger/key-chain.ts';
import type { LogState } from '../../src/ledger/log-state.ts';
import { inclusionProof } from '../../src/ledger/proof.ts';
import { discloseEvent } from '../../src/ledger/proof-extra.ts';
import {
  asLogIndex,
  asStreamName,
  asTimeMs,
  asTreeSize,
  type ParsedEvent,
  type TimeMs,
} from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import { accepted, labelled, labelledSigner } from './format.ts';

export const evidenceEnv: BlockEnv = offlineEnv(nodeCrypto, nodeCipher);
const start = 1_763_683_200_000;

function time(offset: number): TimeMs {
  return asTimeMs(start + offset);
}

export function namedEvent(id: string, data: string): ParsedEvent {
  const context = { id, source: '/vectors', specversion: '1.0', type: 'org.example.t' };
  return { attributes: utf8(JSON.stringify(context)), kind: 1, data: utf8(data), context };
}

export interface Shown {
  readonly attributes: boolean;
  readonly data: boolean;
}
export const showAll: Shown = { attributes: true, data: true };
export const showNothing: Shown = { attributes: false, data: false };

export class EvidenceLog {
  readonly name: string;
  readonly blocks: readonly VerifiedBlock[];

  private constructor(name: string, blocks: readonly VerifiedBlock[]) {
    this.name = name;
    this.blocks = blocks;
  }

  /** Opened by the writer of the label `writer/<name>`. */
  static open(name: string, more: Partial<Genesis> = {}): EvidenceLog {
    const signer = labelledSigner(`writer/${name}`);
    const genesis: Genesis = {
      type: 'genesis',
      owner: didFromKey(signer.publicKey),
      name: asStreamName('orders'),
      partition: 0,
      partitions: 1,
      created: time(0),
      writerKey: signer.publicKey,
      recoveryHash: nodeCrypto.sha256(labelledSigner(`recovery/${name}`).publicKey),
      visibility: 'public',
      retention: { keep: 'all' },
      random: labelled(`random/${name}`).slice(0, 16),
      proof: [],
      ...more,
    };
    const options = { time: time(0), seed: labelled(`seed/${name}/0`) };
    const built = buildFirstBlock(evidenceEnv, signer, genesis, [], options);
    return new EvidenceLog(name, [accepted(built, name)]);
  }

  get state(): LogState {
    return this.last.state;
  }
  get last(): VerifiedBlock {
    const block = this.blocks.at(-1);
    if (block === undefined) throw new RangeError('a log has at least one block');
    return block;
  }
  /** Recorded time of the next block. */
  get nextTime(): TimeMs {
    return time(1000 * this.blocks.length);
  }
  get checkpoint(): string {
    return this.last.block.checkpoint;
  }

  /** The log with one block more; the receiver stays as it is. */
  with(
    drafts: readonly Draft[],
    signer: Signer = labelledSigner(`writer/${this.name}`),
  ): EvidenceLog {
    const number = this.blocks.length;
    const options = { time: this.nextTime, seed: labelled(`seed/${this.name}/${number}`) };
    const built = buildBlock(evidenceEnv, this.state, signer, drafts, options);
    return new EvidenceLog(this.name, [...this.blocks, accepted(built, `${this.name} ${number}`)]);
  }

  /** One block of events with these data. */
  withEvents(data: readonly string[], signer?: Signer): EvidenceLog {
    const drafts = data.map((text, i): Draft => {
      return { kind: 'event', event: namedEvent(`${this.blocks.length}-${i}`, text) };
    });
    return this.with(drafts, signer);
  }

  withRotation(from: Signer, to: Signer): EvidenceLog {
    const rotation = makeRotation(this.state.log, asLogIndex(this.state.size), from, to);
    return this.with([{ kind: 'control', map: controlMap(rotation) }], from);
  }

  /** The log up to this block. */
  until(block: number): EvidenceLog {
    return new EvidenceLog(this.name, this.blocks.slice(0, block + 1));
  }

  controls(): readonly KeyEntry[] {
    return this.blocks.flatMap(({ block, leaves }) =>
      block.entries.flatMap(({ kind }, i) => {
        if (kind !== 3) return [];
        return [{ index: asLogIndex(block.firstIndex + i), leaf: leaves.leaf(i).slice() }];
      }),
    );
  }

  tree(): BranchNodes {
    const hashes = concat(...this.blocks.map(({ leafHashes }) => leafHashes));
    return new BranchNodes(nodeCrypto, [], asTreeSize(0), hashes);
  }

  /** One side of a fork proof. */
  side(): ForkSide {
    return { controls: this.controls(), checkpoint: this.checkpoint, tree: this.tree() };
  }

  /** What a proof of this entry at the newest checkpoint is made from. */
  async proofInput(index: number, shown: Shown, cosignatures = ''): Promise<EventProofInput> {
    const found = this.blocks.find(({ state }) => index < state.size);
    if (found === undefined) throw new RangeError('no such entry');
    const { block, leaves, events } = found;
    const position = index - block.firstIndex;
    const event = events[position];
    const salts =
      block.seed === null ? new Uint8Array(64) : saltsAt(nodeCrypto, block.seed, position);
    const place = asLogIndex(index);
    return {
      index: place,
      leaf: leaves.leaf(position).slice(),
      path: await inclusionProof(nodeCrypto, this.tree(), place, this.state.size),
      checkpoint: this.checkpoint + cosignatures,
      controls: this.controls(),
      ...(event === undefined ? {} : { disclosed: discloseEvent(event, salts, shown) }),
    };
  }
}
