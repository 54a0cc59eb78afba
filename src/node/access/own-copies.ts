/**
 * Direct streams of our own organisation that another of its peers writes (access.md "Direct streams are
 * served by the owner's peers"). What this peer shows to read them is the organisation's own leave to it,
 * `keys/read.ucan`; what it then serves of its copy it serves under the owner's grants.
 */
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { asStreamName, isStreamName, type Did, type PeerId, type StreamName } from '../../types.ts';
import type { Result } from '../../result.ts';
import { readDirectCard, type StreamCard } from '../core/cards.ts';

export interface CopyParts {
  readonly organisation: Did;
  readonly logs: () => readonly LogSummary[];
  /** Follow targets, `did:key:…/name`, of which no log is known yet. */
  readonly wanted: () => readonly string[];
  readonly exchange: () => AccessExchange | undefined;
  readonly show: (stream: StreamName, peer: PeerId) => Result<Uint8Array>;
  /** Its logs are read by grant from now on, and followed where they are wanted. */
  readonly learned: (card: StreamCard) => Promise<void>;
  /** A log that is kept already is read by grant. */
  readonly known: (log: LogSummary, name: StreamName) => void;
}

export class OwnCopies {
  readonly #parts: CopyParts;

  constructor(parts: CopyParts) {
    this.#parts = parts;
  }

  /** What is kept from before, before the network is there. */
  start(): void {
    for (const log of this.#copies()) {
      const name = log.genesis?.name;
      if (name !== undefined) this.#parts.known(log, name);
    }
  }

  /** Asks sister peers for the logs of what is wanted, and with `again` of what is kept. */
  async look(again: boolean): Promise<void> {
    const { organisation, exchange, show, learned, wanted } = this.#parts;
    const names = new Set<StreamName>();
    for (const target of wanted()) {
      const [owner, name = ''] = target.split('/');
      if (owner === organisation && isStreamName(name)) names.add(asStreamName(name));
    }
    if (again) for (const { genesis } of this.#copies()) if (genesis) names.add(genesis.name);
    for (const name of names) {
      const text = await exchange()?.card(organisation, (peer) => show(name, peer));
      const card = text?.ok === true ? readDirectCard(organisation, text.value) : undefined;
      if (card?.ok === true && card.value.name === name) await learned(card.value);
    }
  }

  #copies(): readonly LogSummary[] {
    return this.#parts
      .logs()
      .filter(
        ({ genesis, createdLocally }) =>
          genesis?.visibility === 'direct' &&
          genesis.owner === this.#parts.organisation &&
          !createdLocally,
      );
  }
}
