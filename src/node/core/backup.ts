/** The rows of a running node's store, for `hw backup create`; one backup at a time. */
import { fault, HeadwaterError } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import { rowsStream } from '../backup/rows-stream.ts';

export interface BackupApi {
  /**
   * Bytes of `store.rows` (backup/rows-codec.ts) as of now, to be read to the end or left by
   * breaking out; reading may throw HeadwaterError. Code: backup-running.
   */
  rows(): Result<AsyncIterable<Uint8Array>>;
}

const running = fault('backup-running', 'a backup of this node is being made');

export class Backups implements BackupApi {
  readonly #ledger: Ledger;
  readonly #begun: () => void;
  #running = false;

  constructor(ledger: Ledger, begun: () => void) {
    this.#ledger = ledger;
    this.#begun = begun;
  }

  rows(): Result<AsyncIterable<Uint8Array>> {
    if (this.#running) return err(running);
    this.#begun();
    return ok({ [Symbol.asyncIterator]: () => this.#stream() });
  }

  async *#stream(): AsyncGenerator<Uint8Array> {
    if (this.#running) throw new HeadwaterError(running);
    this.#running = true;
    try {
      await using snapshot = this.#ledger.backup.open();
      yield* rowsStream(snapshot);
    } finally {
      this.#running = false;
    }
  }
}
