/** Static trees of a running node (`TreeApi`). */
import { utf8 } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import { parseLogId } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { StaticPath } from '../../ledger/static-tree.ts';
import { err, never, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { isPublicLog } from '../static-index.ts';
import type { TreeApi } from '../tree-api.ts';
import { unknown } from './registries.ts';

export class LogFiles implements TreeApi {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  isPublic(log: string): boolean {
    const logId = parseLogId(log);
    return logId.ok && isPublicLog(this.#ledger.log(logId.value));
  }

  mayBeReduced(log: LogId): Promise<Result<boolean>> {
    return this.#ledger.tree.mayBeReduced(log);
  }

  async file(log: LogId, path: StaticPath): Promise<Result<Uint8Array>> {
    const { genesis } = this.#ledger.log(log) ?? {};
    // Journal and dead letters are the peer's own.
    if (genesis?.name.startsWith('_') === true && genesis.visibility === 'direct') {
      return err(unknown(`hw:${log}`));
    }
    switch (path.kind) {
      case 'checkpoint':
        return newestCheckpoint(this.#ledger, log);
      case 'tile':
        return this.#ledger.tree.tile(log, path.tile);
      case 'block':
        return this.#ledger.tree.block(log, path.number);
      default:
        return never(path);
    }
  }
}

/** The note that a static tree shows: of the newest size, with the cosignatures that it has. */
export function newestCheckpoint(ledger: Ledger, log: LogId): Promise<Result<Uint8Array>> {
  const note = ledger.log(log)?.checkpoint ?? '';
  if (note !== '') return Promise.resolve(ok(utf8(note)));
  return Promise.resolve(err(fault('event-unknown', 'nothing of this log has arrived yet')));
}
