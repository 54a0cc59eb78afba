/** Forked logs as a node tells of them: to its API, its journal, and those who read. */
import { toHex } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { ForkFound, KnownFork } from '../../ledger/fork-book.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { ForkHeadView, ForksApi, ForkView } from '../forks-api.ts';
import type { NodeLog } from '../logger.ts';
import { journalTypes, type Journal } from './journal.ts';

export class ForkDesk implements ForksApi {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async view(log: LogId): Promise<Result<ForkView>> {
    const { forks } = this.#ledger;
    const known = forks.known(log);
    if (known === undefined) return err(none(log));
    const proof = await this.proof(log);
    if (!proof.ok) return proof;
    const branch = await forks.branch(log);
    if (!branch.ok) return branch;
    return ok({
      log,
      a: headView(known.a),
      b: headView(known.b),
      rootAtA: toHex(known.rootAtA),
      learned: known.learned,
      ours: branch.value.ours,
      kept: branch.value.others.length,
      proof: Buffer.from(proof.value).toString('base64'),
    });
  }

  async proof(log: LogId): Promise<Result<Uint8Array>> {
    const proof = await this.#ledger.forks.proof(log);
    if (!proof.ok) return proof;
    return proof.value === undefined ? err(none(log)) : ok(proof.value);
  }

  notices(logs: readonly LogId[]): readonly Fault[] {
    return logs.flatMap((log) => {
      const known = this.#ledger.forks.known(log);
      const frozen = this.#ledger.log(log)?.state === 'frozen';
      return known === undefined || !frozen ? [] : [noticeOf(known)];
    });
  }

  onNotice(logs: readonly LogId[], listener: (notice: Fault) => void): Disposable {
    const wanted = new Set(logs);
    return this.#ledger.forks.onFound(({ fork }) => {
      // A log that is closed has a successor, where its readers go on.
      const frozen = this.#ledger.log(fork.logId)?.state === 'frozen';
      if (frozen && wanted.has(fork.logId)) listener(noticeOf(fork));
    });
  }
}

/** Writes each fork of a log that is held here to the journal, and all of them to the node's log. */
export function watchForks(ledger: Ledger, journal: Journal, log: NodeLog): Disposable {
  return ledger.forks.onFound(({ fork, via }: ForkFound) => {
    const { logId, a, b } = fork;
    const held = ledger.log(logId) !== undefined;
    log.warn({ log: logId, via, sizes: [a.size, b.size], held }, 'a log is forked');
    if (!held) return;
    journal.record({
      type: journalTypes.fork,
      subject: `hw:${logId}`,
      data: {
        log: logId,
        sizeA: a.size,
        rootA: toHex(a.root),
        sizeB: b.size,
        rootB: toHex(b.root),
        via,
      },
    });
  });
}

function headView({ size, root, note }: KnownFork['a']): ForkHeadView {
  return { size, root: toHex(root), checkpoint: note };
}

function noticeOf({ logId, a, b }: KnownFork): Fault {
  const message = `the writer of ${logId} signed two histories, of ${a.size} and of ${b.size} entries: nothing more is taken of it`;
  return fault('log-frozen', message);
}

function none(log: LogId): Fault {
  return fault('fork-unknown', `no fork of hw:${log} is known here`);
}
