/** Sealed events in an `EvidenceLog`: for the golden vectors, and for tests with a producer who cheats. */
import { concat } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { epochCheck, epochKey, epochRoot, type EpochNode } from '../../src/access/epoch-keys.ts';
import type { Draft } from '../../src/ledger/build-block.ts';
import { commitments } from '../../src/ledger/commitment.ts';
import { layOutLeaf, type Parent } from '../../src/ledger/leaf.ts';
import {
  sealBody,
  sealedKey,
  sealedLength,
  type SealedPlace,
} from '../../src/ledger/sealed-body.ts';
import { asHash, type EventBytes } from '../../src/types.ts';
import { EvidenceLog } from './evidence-log.ts';
import { accepted, labelled } from './format.ts';

/** Root of the key tree of a generation of this log. */
export function sealedRoot(name: string, generation = 0): EpochNode {
  return epochRoot(labelled(`epochs/${name}/${generation}`));
}

export function keyOf(log: EvidenceLog, epoch: number, generation = 0): Uint8Array {
  return accepted(epochKey(nodeCipher, sealedRoot(log.name, generation), epoch), 'epoch key');
}

/** The key of one event, and where it stands. */
export function eventKeyOf(
  log: EvidenceLog,
  index: number,
  epoch: number,
  generation = 0,
): { readonly key: Uint8Array; readonly place: SealedPlace; readonly body: Uint8Array } {
  const found = log.blocks.find(({ state }) => index < state.size);
  if (found === undefined) throw new RangeError('no such entry');
  const { block, leaves } = found;
  const position = index - block.firstIndex;
  const { bodyOffset = -1, bodyLength = 0 } = block.entries[position] ?? {};
  const place = { log: log.state.log, index, leaf: leaves.leaf(position).slice() };
  const body = block.wire.slice(bodyOffset, bodyOffset + bodyLength);
  return { key: sealedKey(nodeCrypto, place, keyOf(log, epoch, generation)), place, body };
}

export function epochDraft(log: EvidenceLog, epoch: number, generation = 0): Draft {
  const key = keyOf(log, epoch, generation);
  const check = epochCheck(nodeCrypto, log.state.log, epoch, key);
  return { kind: 'control', map: { type: 'epoch', epoch, generation, check } };
}

/** What a producer may do otherwise than it should. */
export interface Cheat {
  /** Seals for another index. */
  readonly index?: number;
  /** Seals another event than the one that the commitments are of. */
  readonly event?: EventBytes;
  /** Takes this ciphertext in the place of its own. */
  readonly body?: Uint8Array;
  readonly key?: Uint8Array;
}

/** The event at `position` of the next block, sealed in an epoch that is open there. */
export function sealedDraft(
  log: EvidenceLog,
  position: number,
  epoch: number,
  event: EventBytes,
  cheat: Cheat = {},
  parents: readonly Parent[] = [],
): Draft {
  const index = log.state.size + position;
  const label = `salt/${log.name}/${index}`;
  const salts = concat(labelled(`${label}/attributes`), labelled(`${label}/data`));
  const { attributes, data } = commitments(nodeCrypto, salts, event);
  const said = cheat.event ?? event;
  const leaf = layOutLeaf({
    kind: 1,
    time: log.nextTime,
    attributesCommitment: attributes,
    dataCommitment: data,
    bodyLength: sealedLength(said),
    bodyHash: asHash(new Uint8Array(32)),
    epoch,
    parents,
  });
  const place = { log: log.state.log, index: cheat.index ?? index, leaf };
  const key = cheat.key ?? keyOf(log, epoch);
  const body = cheat.body ?? sealBody(nodeCipher, nodeCrypto, place, key, salts, said);
  const made = { attributesCommitment: attributes, dataCommitment: data, epoch, body };
  return { kind: 'sealed', ...made, parents, time: log.nextTime };
}

/** One block of events, sealed in the epoch that it opens. */
export function withSealed(
  log: EvidenceLog,
  epoch: number,
  events: readonly EventBytes[],
  cheats: Readonly<Record<number, Cheat>> = {},
): EvidenceLog {
  const drafts = events.map((event, i) => sealedDraft(log, i + 1, epoch, event, cheats[i]));
  return log.with([epochDraft(log, epoch), ...drafts]);
}

/** 0 genesis, 1 seal; the rest as it is sealed. */
export function openSealed(name: string): EvidenceLog {
  return EvidenceLog.open(name, { visibility: 'sealed' });
}
