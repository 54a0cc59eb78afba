/**
 * Epochs of sealed streams as their owner sees them, and the destruction of the keys of one. The log
 * says it first, then the keys go: here at once, and wherever else somebody holds some as soon as the
 * entry arrives (`honour`). So a crash between the two, or a backup that brings old keys back, changes
 * nothing: what the log has shredded is destroyed again at the next start.
 */
import { fault, type Fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { Journal } from '../core/journal.ts';
import type { NodeLog } from '../logger.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { EpochView, SealedApi, ShredRequest, ShredView } from '../sealed-api.ts';
import type { SealedRoom } from './sealed-room.ts';

export interface ShreddingParts {
  readonly ledger: Pick<Ledger, 'epochs' | 'openEpoch' | 'shreds' | 'log' | 'logs' | 'onAppended'>;
  readonly sealed: SealedRoom;
  readonly journal: Pick<Journal, 'did'>;
}

export class Shredding implements SealedApi {
  readonly #parts: ShreddingParts;

  constructor(parts: ShreddingParts) {
    this.#parts = parts;
  }

  async epochs(stream: StreamView): Promise<Result<readonly EpochView[]>> {
    const sealed = sealedOnly(stream);
    if (sealed !== undefined) return err(sealed);
    const views: EpochView[] = [];
    for (const { log } of stream.logs) {
      const opened = await this.#parts.ledger.epochs(log);
      if (!opened.ok) return opened;
      for (const [i, opening] of opened.value.entries()) {
        views.push(this.#view(log, opening, opened.value[i + 1]));
      }
    }
    return ok(views);
  }

  async shred(
    stream: StreamView,
    { epoch, log: named }: ShredRequest,
    actor: Actor,
  ): Promise<Result<ShredView>> {
    const log = ownLogOf(stream, named);
    if (!log.ok) return log;
    const { ledger, sealed } = this.#parts;
    const opened = await ledger.epochs(log.value);
    if (!opened.ok) return opened;
    const last = opened.value.at(-1);
    // Nothing more is sealed with what is about to go.
    if (last?.epoch === epoch && last.shredded === undefined && !this.#isClosed(log.value)) {
      const next = await ledger.openEpoch(log.value, 'epoch');
      if (!next.ok) return next;
    }
    const told = await ledger.shreds.announce(log.value, epoch);
    if (!told.ok) return told;
    const { opening, entry } = told.value;
    const already = sealed.own.isShredded(log.value, opening) && told.value.already;
    const gone = await this.#destroy(log.value, opening);
    if (!gone.ok) return gone;
    const subject = `hw:${log.value} epoch ${epoch}`;
    if (!already) this.#parts.journal.did('stream.shred', subject, actor);
    const views = await this.epochs(stream);
    if (!views.ok) return views;
    const view = views.value.find((one) => one.log === log.value && one.epoch === epoch);
    const { from, to } = view ?? { from: opening.index + 1, to: opening.index + 1 };
    const { generation } = opening;
    const said = entry === undefined ? {} : { entry };
    return ok({ log: log.value, epoch, generation, from, to, ...said, already });
  }

  /** Keys of these epochs go, whoever made them. How many epochs had keys here. */
  async honour(log: LogId): Promise<Result<number>> {
    const opened = await this.#parts.ledger.epochs(log);
    if (!opened.ok) return opened;
    let destroyed = 0;
    for (const opening of opened.value) {
      if (opening.shredded === undefined || !this.#holds(log, opening)) continue;
      const done = await this.#destroy(log, opening);
      if (!done.ok) return done;
      destroyed += 1;
    }
    return ok(destroyed);
  }

  #holds(log: LogId, opening: OpenedEpoch): boolean {
    const { own, got } = this.#parts.sealed;
    const ours = own.held(log).some(({ generation }) => generation === opening.generation);
    return (ours && !own.isShredded(log, opening)) || got.covers(log, opening);
  }

  async #destroy(log: LogId, opening: OpenedEpoch): Promise<Result<void>> {
    const { own, got } = this.#parts.sealed;
    if (own.held(log).length > 0) {
      const gone = await own.shred(log, opening);
      if (!gone.ok) return gone;
    }
    return got.covers(log, opening) ? got.shred(log, opening) : ok(undefined);
  }

  #isClosed(log: LogId): boolean {
    return this.#parts.ledger.log(log)?.state === 'closed';
  }

  #view(log: LogId, opening: OpenedEpoch, next: OpenedEpoch | undefined): EpochView {
    const { epoch, generation, index, time } = opening;
    const { sealed, ledger } = this.#parts;
    const shredded = sealed.isShredded(log, opening);
    const held = !shredded && sealed.keyFor(log, opening) !== undefined;
    return {
      log,
      epoch,
      generation,
      from: index + 1,
      to: next?.index ?? ledger.log(log)?.size ?? index + 1,
      opened: time,
      ...(next === undefined ? {} : { ended: next.time }),
      keys: shredded ? 'shredded' : held ? 'held' : 'no-key',
    };
  }
}

/** Destroys what the logs here have shredded, now and whenever a log says so. */
export function watchShreds(parts: ShreddingParts, log: NodeLog): Disposable {
  const shredding = new Shredding(parts);
  const { ledger } = parts;
  const honour = async (logId: LogId): Promise<void> => {
    const done = await shredding.honour(logId);
    if (!done.ok) log.warn({ log: logId, code: done.error.code }, 'shredded keys are still here');
    else if (done.value > 0) log.info({ log: logId, epochs: done.value }, 'keys destroyed');
  };
  for (const { logId, genesis } of ledger.logs()) {
    if (genesis?.visibility === 'sealed') void honour(logId);
  }
  return ledger.onAppended(({ logId, controls }) => {
    if (controls && ledger.log(logId)?.genesis?.visibility === 'sealed') void honour(logId);
  });
}

function sealedOnly({ display, visibility }: StreamView): Fault | undefined {
  if (visibility === 'sealed') return undefined;
  return fault('stream-not-sealed', `${display} is ${visibility}: it has no key epochs`);
}

function notOurs(message: string): Fault {
  const hint = 'Only the owner shreds, at the peer that writes the log.';
  return fault('stream-not-own', message, undefined, hint);
}

/** The log that is meant, which is one that this home writes or wrote. */
function ownLogOf(stream: StreamView, named: LogId | undefined): Result<LogId> {
  const wrong = sealedOnly(stream);
  if (wrong !== undefined) return err(wrong);
  if (!stream.own) return err(notOurs(`${stream.display} is of another owner`));
  const logs = stream.logs.filter(({ role }) => role === 'writer').map(({ log }) => log);
  if (named !== undefined) {
    if (logs.includes(named)) return ok(named);
    return err(fault('log-unknown', `hw:${named} is no log of ${stream.display} written here`));
  }
  const [only, second] = logs;
  if (only !== undefined && second === undefined) return ok(only);
  if (only === undefined) {
    return err(notOurs(`no log of ${stream.display} is written here`));
  }
  const message = `${stream.display} has ${logs.length} logs, each with epochs of its own`;
  return err(fault('position-ambiguous', message, undefined, `Name one: --log ${only}`));
}
