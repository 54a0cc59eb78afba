/** New generations of keys by the operator's hand, journaled. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Journal } from '../core/journal.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { OpenedView, RekeyApi } from '../rekey-api.ts';
import type { SealedRoom } from './sealed-room.ts';

export class Rekeying implements RekeyApi {
  readonly #sealed: Pick<SealedRoom, 'newGeneration'>;
  readonly #journal: Pick<Journal, 'did'>;

  constructor(sealed: Pick<SealedRoom, 'newGeneration'>, journal: Pick<Journal, 'did'>) {
    this.#sealed = sealed;
    this.#journal = journal;
  }

  async rekey(stream: StreamView, actor: Actor): Promise<Result<readonly OpenedView[]>> {
    const { display, visibility, own } = stream;
    if (visibility !== 'sealed') {
      return err(fault('stream-not-sealed', `${display} is ${visibility}: it has no key epochs`));
    }
    if (!own) return err(fault('stream-not-own', `${display} is of another owner`));
    const opened: OpenedView[] = [];
    for (const { log, role, state } of stream.logs) {
      if (role !== 'writer' || state === 'closed') continue;
      const begun = await this.#sealed.newGeneration(log);
      if (!begun.ok) return begun;
      const { epoch, generation, time } = begun.value;
      opened.push({ log, epoch, generation, since: time });
    }
    this.#journal.did('stream.rekey', display, actor);
    return ok(opened);
  }
}
