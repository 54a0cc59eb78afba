/** Streams of ours that are read by grant: what a grant of one is for, and where it is. */
import { keyCommand, readCommand, type GrantCommand } from '../../access/grant.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { StreamName } from '../../types.ts';
import type { StreamCard } from '../core/cards.ts';
import { cardPartitions, ownChains } from '../core/own-chains.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import type { Home } from '../home.ts';

export class GrantedStreams {
  readonly #home: Home;
  readonly #ledger: Pick<Ledger, 'logs'>;
  readonly #ownLogs: Pick<OwnLogs, 'organisation'>;
  readonly #registries: Pick<Registries, 'card'>;

  constructor(parts: {
    readonly home: Home;
    readonly ledger: Pick<Ledger, 'logs'>;
    readonly ownLogs: Pick<OwnLogs, 'organisation'>;
    readonly registries: Pick<Registries, 'card'>;
  }) {
    this.#home = parts.home;
    this.#ledger = parts.ledger;
    this.#ownLogs = parts.ownLogs;
    this.#registries = parts.registries;
  }

  /** What grants of a stream of ours are for; undefined for one that needs none, and where there is none. */
  commandOf(name: string): GrantCommand | undefined {
    if (this.#chains(name, 'direct').length > 0) return readCommand;
    return this.#chains(name, 'sealed').length > 0 ? keyCommand : undefined;
  }

  /** The card of a direct stream, which is in no registry. */
  cardOf(name: StreamName): StreamCard | undefined {
    const { organisation, peerKey } = this.#home.identity;
    const chains = this.#chains(name, 'direct');
    const first = chains[0]?.[0];
    if (first?.genesis === undefined) {
      // A stream that another peer of ours writes: as that has told it.
      const card = this.#registries.card({ owner: organisation, name });
      return card?.visibility === 'direct' ? card : undefined;
    }
    const { contentType } = first.genesis;
    return {
      owner: organisation,
      name,
      id: first.logId,
      visibility: 'direct',
      partitions: cardPartitions(chains, peerIdFromKey(peerKey)),
      ...(contentType === undefined ? {} : { contentType }),
    };
  }

  /** Own logs of a stream, as chains. */
  #chains(name: string, visibility: 'direct' | 'sealed'): ReturnType<typeof ownChains> {
    const logs = this.#ledger
      .logs()
      .filter(({ genesis }) => genesis?.visibility === visibility && genesis.name === name);
    const found = logs[0]?.genesis?.name;
    return found === undefined ? [] : ownChains(logs, this.#ownLogs.organisation, found);
  }
}
