/** A log that is not ours, as a witness sees it: checkpoints of any size, of one history or another. */
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { noteAlgorithm, noteKey, signNote, type NoteKey } from '../../src/ledger/note.ts';
import { consistencyProof } from '../../src/ledger/proof.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { formatAddCheckpoint } from '../../src/ledger/witness.ts';
import { asTreeSize, type Hash } from '../../src/types.ts';
import { toBase64 } from '../../src/bytes.ts';
import { naiveReader, naiveRoot } from '../ledger/naive-tree.ts';

export class ForeignLog {
  readonly origin: string;
  readonly key: NoteKey;
  readonly #signer: Signer;
  readonly #leaves: Hash[] = [];

  constructor(origin: string, seed = 21) {
    this.origin = origin;
    this.#signer = signerFromSeed(new Uint8Array(32).fill(seed));
    const { publicKey } = this.#signer;
    this.key = noteKey(nodeCrypto, origin, noteAlgorithm.ed25519, publicKey);
  }

  /** The first `size` leaves; from `forkedAt` on they are those of another history. */
  leaves(size: number, forkedAt: number = Infinity): readonly Hash[] {
    while (this.#leaves.length < size) {
      this.#leaves.push(leafHash(nodeCrypto, utf8(`leaf ${this.#leaves.length}`)));
    }
    return this.#leaves.slice(0, size).map((leaf, i) => (i < forkedAt ? leaf : other(i)));
  }

  root(size: number, forkedAt?: number): Hash {
    return naiveRoot(this.leaves(size, forkedAt));
  }

  checkpoint(size: number, forkedAt?: number): string {
    const text = `${this.origin}\n${size}\n${toBase64(this.root(size, forkedAt))}\n`;
    return signNote(nodeCrypto, this.#signer, this.origin, text);
  }

  /** An add-checkpoint request. */
  async request(old: number, size: number, forkedAt?: number): Promise<Uint8Array> {
    const reader = naiveReader(this.leaves(size, forkedAt));
    const proof =
      old === 0 || old > size
        ? []
        : await consistencyProof(nodeCrypto, reader, asTreeSize(old), asTreeSize(size));
    return utf8(formatAddCheckpoint(asTreeSize(old), proof, this.checkpoint(size, forkedAt)));
  }
}

function other(i: number): Hash {
  return leafHash(nodeCrypto, utf8(`other leaf ${i}`));
}
