/**
 * This peer as a witness: add-checkpoint whatever way it comes, with the keys it trusts and, beyond
 * C2SP, with its own copy of the log: what contradicts that is not cosigned either.
 */
import { equal, utf8 } from '../../bytes.ts';
import type { Signer } from '../../crypto.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import { didFromKey, parseLogId } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { noteAlgorithm, noteKey, openNote, type NoteKey } from '../../ledger/note.ts';
import { keepLines } from '../../ledger/cosignature.ts';
import { parseCheckpoint } from '../../ledger/checkpoint.ts';
import {
  parseAddCheckpoint,
  refuseMalformed,
  type AddCheckpoint,
  type Witness,
} from '../../ledger/witness.ts';
import { asLogIndex } from '../../types.ts';
import type { WitnessHttpReply } from '../witness-api.ts';
import type { WitnessedKeys } from './witnessed-keys.ts';

const plainText = 'text/plain; charset=utf-8';

export class WitnessService {
  /** Type 0x04, named by its own did:key. */
  readonly key: NoteKey;
  /** Answers by status. */
  readonly answers: Map<number, number> = new Map();
  readonly #witness: Witness;
  readonly #ledger: Ledger;
  readonly #keys: WitnessedKeys;

  constructor(signer: Signer, ledger: Ledger, keys: WitnessedKeys) {
    const name = didFromKey(signer.publicKey);
    this.key = noteKey(nodeCrypto, name, noteAlgorithm.cosignature, signer.publicKey);
    this.#witness = { name, signer };
    this.#ledger = ledger;
    this.#keys = keys;
  }

  /** Never fails: what is wrong with this home is 429 or 503, and nothing is signed then. */
  async addCheckpoint(body: Uint8Array): Promise<WitnessHttpReply> {
    const reply = await this.#answer(body);
    this.answers.set(reply.status, (this.answers.get(reply.status) ?? 0) + 1);
    return reply;
  }

  async #answer(body: Uint8Array): Promise<WitnessHttpReply> {
    const request = parseAddCheckpoint(body);
    if (!request.ok) return refuseMalformed(request.error);
    const keys = await this.#keys.of(request.value);
    const contradiction = keys === undefined ? undefined : await this.#judge(request.value, keys);
    if (contradiction !== undefined) return problem(422, contradiction);
    const answer = await this.#ledger.witnessed.submit(this.#witness, request.value, keys);
    if (answer.ok) return answer.value;
    const { code } = answer.error;
    const isBusy = code === 'rate-limited' || code === 'queue-full';
    return problem(isBusy ? 429 : 503, answer.error);
  }

  /** What our own copy of the log says against a checkpoint that is signed by one of the keys. */
  async #judge(
    { origin, note, size, root }: AddCheckpoint,
    keys: readonly NoteKey[],
  ): Promise<Fault | undefined> {
    const logId = parseLogId(origin.startsWith('headwater/') ? origin.slice(10) : '');
    if (!logId.ok) return undefined;
    const log = this.#ledger.log(logId.value);
    const closing = log?.closing;
    if (closing !== undefined && size > closing.size) {
      // Who goes on with it is not its owner.
      return fault('log-closed', `a successor goes on from size ${closing.size}`);
    }
    const forked = log?.state === 'frozen' || this.#ledger.forks.known(logId.value) !== undefined;
    if (closing === undefined && forked) {
      return fault('log-frozen', 'two histories of this log are known');
    }
    if (log === undefined) return undefined;
    if (size === 0 || size > log.size) return undefined;
    const { proofs, cosigned } = this.#ledger;
    const ours = await proofs.rangeRoot(log.logId, asLogIndex(0), asLogIndex(size));
    if (!ours.ok || equal(ours.value, root)) return undefined;
    const opened = openNote(nodeCrypto, utf8(note), keys);
    const parsed = parseCheckpoint(note);
    if (!opened.ok || !parsed.ok) return undefined; // Nobody signed it: 403 says so.
    const signed = opened.value.verified.map(({ keyId }) => keyId);
    const theirs = keepLines(parsed.value, ({ keyId }) => signed.includes(keyId));
    cosigned.conflict({ logId: log.logId, size, theirs });
    return fault('fork', `another root of size ${size} is known here`);
  }
}

function problem(status: number, { message }: Fault): WitnessHttpReply {
  return { status, contentType: plainText, body: `${message}\n` };
}
