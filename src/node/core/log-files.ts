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
      case 'cosigned':
        return newestCosigned(this.#ledger, log);
      case 'tile':
        return this.#ledger.tree.tile(log, path.tile);
      case 'block':
        return this.#ledger.tree.block(log, path.number);
      default:
        return never(path);
    }
  }
}

/** The note of the newest size, with the cosignatures that it has. */
async function newestCheckpoint(ledger: Ledger, log: LogId): Promise<Result<Uint8Array>> {
  const head = ledger.log(log);
  if (head === undefined || head.checkpoint === '') {
    return err(fault('event-unknown', 'nothing of this log has arrived yet'));
  }
  const kept = await ledger.cosigned.newest(log, head.size);
  if (!kept.ok) return kept;
  const same = kept.value?.size === head.size ? kept.value.note : undefined;
  return ok(utf8(same ?? head.checkpoint));
}

async function newestCosigned(ledger: Ledger, log: LogId): Promise<Result<Uint8Array>> {
  const kept = await ledger.cosigned.newest(log);
  if (!kept.ok) return kept;
  if (kept.value !== undefined) return ok(utf8(kept.value.note));
  return err(fault('cosigned-unknown', 'no cosigned checkpoint of this log is kept here'));
}
