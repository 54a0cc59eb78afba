/** What a node does when a log gets a successor: fetches what is missing, tells, lets go what is none. */
import type { Ledger } from '../../ledger/ledger.ts';
import type { SuccessionNews } from '../../ledger/successors.ts';
import type { Fault } from '../../errors.ts';
import type { Succession } from '../../identities.ts';
import type { LogId } from '../../types.ts';
import type { Follows } from './follows.ts';
import { journalTypes, type Journal } from './journal.ts';
import type { RegistryFeed } from './registry-feed.ts';
import type { Successions } from './successions.ts';

export interface SuccessionPorts {
  readonly ledger: Ledger;
  readonly follows: Follows;
  readonly feed: RegistryFeed;
  readonly owners: Pick<Successions, 'refresh'>;
  readonly journal: Journal;
  /** Asks the peers that the stream's card names. */
  fetch(logId: LogId): void;
  track(work: Promise<unknown>): void;
  warn(subject: string, problem: Fault): void;
}

export function watchSuccession(ports: SuccessionPorts): Disposable {
  const watched = new DisposableStack();
  watched.use(ports.ledger.successors.onNews((news) => act(ports, news)));
  const { identities } = ports.ledger;
  const told = new Set(identities.list().map(tellingOf));
  watched.use(
    identities.onChange(() => {
      for (const one of identities.list()) {
        if (told.has(tellingOf(one))) continue;
        told.add(tellingOf(one));
        const { from, to, terms } = one;
        const data = { to, reason: terms?.reason, registry: `hw:${one.registry}` };
        ports.journal.record({ type: journalTypes.succeeded, subject: from, data });
      }
    }),
  );
  return watched;
}

/** Told when it is known, and once more when it is known why. */
function tellingOf({ from, to, terms }: Succession): string {
  return `${from} ${to} ${terms?.reason ?? ''}`;
}

function act(ports: SuccessionPorts, { kind, logId, successor, reason }: SuccessionNews): void {
  switch (kind) {
    case 'wanted':
      ports.fetch(logId);
      return;
    case 'closed':
      // First who owns what is read then.
      ports.owners.refresh();
      ports.feed.closed(logId);
      ports.journal.record({
        type: journalTypes.recovered,
        subject: `hw:${logId}`,
        data: { successor: `hw:${successor}`, size: ports.ledger.log(logId)?.size },
      });
      return;
    case 'refused':
      ports.track(ports.follows.begun(successor));
      return;
    case 'fork':
      if (reason !== undefined) ports.warn(`hw:${logId}`, reason);
      return;
  }
}
