/**
 * What comes in about logs and about this witness: a checkpoint that contradicts our own copy, or
 * what this witness saw before, is a fork and is proved where it can be; and what others show that
 * this witness cosigned counts, also where an old copy of its home came back.
 */
import { equal } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import { parseLogId } from '../../ids.ts';
import { checkpointOrigin, parseCheckpoint } from '../../ledger/checkpoint.ts';
import { keepLines } from '../../ledger/cosignature.ts';
import type { CheckpointConflict, CosignedCheckpoint } from '../../ledger/cosigned.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { formatSignatureLine, type NoteKey } from '../../ledger/note.ts';
import type { Witnessed } from '../../ledger/witness.ts';
import type { WitnessConflict } from '../../ledger/witness-book.ts';
import { err } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { proveForeign } from './foreign-fork.ts';
import { noNetwork } from './sender.ts';

export interface ContradictionParts {
  readonly ledger: Ledger;
  /** Undefined until there is a network, and in a home without one. */
  readonly gossip: () => GossipNode | undefined;
  readonly warn: (subject: string, problem: Fault) => void;
}

export class Contradictions implements Disposable {
  readonly #parts: ContradictionParts;
  readonly #owned = new DisposableStack();

  /** `witness` is the key of this peer as a witness, where it is one. */
  constructor(parts: ContradictionParts, witness: NoteKey | undefined) {
    this.#parts = parts;
    const { cosigned, witnessed } = parts.ledger;
    this.#owned.use(cosigned.onConflict((conflict) => this.#contradicted(conflict)));
    this.#owned.use(witnessed.onConflict((conflict) => this.#forked(conflict)));
    if (witness !== undefined) {
      this.#owned.use(cosigned.onKept((kept) => this.#shown(witness, kept)));
    }
  }

  [Symbol.dispose](): void {
    this.#owned.dispose();
  }

  /** The writer signed a checkpoint that our own copy contradicts: a fork, proved where it can be. */
  #contradicted({ logId, size, theirs }: CheckpointConflict): void {
    const message = `the writer signed another root for size ${size}`;
    this.#parts.warn(`log ${logId}`, fault('fork', message));
    void this.#prove(logId, theirs);
  }

  /** What others show that we cosigned counts, also where an old copy of this home came back. */
  #shown(witness: NoteKey, { logId, size, root, note, cosignatures }: CosignedCheckpoint): void {
    const own = cosignatures.find(({ key }) => equal(key.publicKey, witness.publicKey));
    const parsed = own === undefined ? undefined : parseCheckpoint(note);
    if (own === undefined || parsed?.ok !== true) return;
    const origin = checkpointOrigin(logId);
    const signed = keepLines(parsed.value, (line) => line.name === origin);
    const state = { size, root, note: signed, cosignature: formatSignatureLine(own) };
    void this.#remember(origin, state);
  }

  async #remember(origin: string, state: Witnessed): Promise<void> {
    const remembered = await this.#parts.ledger.witnessed.remember(origin, state);
    if (!remembered.ok) this.#parts.warn(`witness ${origin}`, remembered.error);
  }

  #forked({ origin, first, second }: WitnessConflict): void {
    const message = `two checkpoints of one size were shown to this witness: ${origin}`;
    this.#parts.warn(`witness ${origin}`, fault('fork', message));
    const logId = parseLogId(origin.startsWith('headwater/') ? origin.slice(10) : '');
    if (!logId.ok) return;
    if (this.#parts.ledger.log(logId.value) === undefined) {
      void this.#proveForeign(logId.value, first, second);
    } else void this.#prove(logId.value, second);
  }

  /** Of a log that is not kept here: the witness saw both sides, peers have the keys. */
  async #proveForeign(logId: LogId, first: string, second: string): Promise<void> {
    const { gossip, ledger, warn } = this.#parts;
    const keys = gossip()?.keys(logId) ?? Promise.resolve(err(noNetwork));
    const proven = await proveForeign(ledger, logId, first, second, await keys);
    if (!proven.ok) warn(`log ${logId}`, proven.error);
  }

  async #prove(logId: LogId, checkpoint: string): Promise<void> {
    const found = await this.#parts.ledger.forks.contradict(logId, { checkpoint });
    if (!found.ok) this.#parts.warn(`log ${logId}`, found.error);
  }
}
