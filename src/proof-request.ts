/** What a peer is asked to prove of a log, and its answer: asked by the ledger, carried by gossip. */
import type { Hash, LogId, LogIndex, TreeSize } from './types.ts';

/** The first three messages of `/headwater/1/proof` (gossip/proof-codec.ts). A size of 0 is the head. */
export type ProofRequest =
  | {
      readonly kind: 'inclusion';
      readonly logId: LogId;
      readonly index: LogIndex;
      readonly size: TreeSize;
    }
  | {
      readonly kind: 'consistency';
      readonly logId: LogId;
      readonly from: TreeSize;
      readonly size: TreeSize;
    }
  | {
      readonly kind: 'range';
      readonly logId: LogId;
      readonly from: LogIndex;
      readonly to: LogIndex;
      readonly size: TreeSize;
    };

/** All is as the peer states it: whoever asked verifies. */
export interface ProofAnswer {
  readonly size: TreeSize;
  readonly root: Hash;
  /** '' where the size is not the answerer's head. */
  readonly checkpoint: string;
  readonly hashes: readonly Hash[];
}
