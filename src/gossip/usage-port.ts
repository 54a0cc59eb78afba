/**
 * Who has been given what: the book that every way on which content leaves this node tells
 * (access.md "Self-service"). A call is a few additions in memory; whoever serves never waits for it.
 */
import type { Did, LogId } from '../types.ts';
import type { PortGenesis } from './ledger-port.ts';

/**
 * `blocks` and `http`: entries with their content. `attributes`: attributes alone. `proof`: proofs
 * without content. `keys`: keys of epochs; then range and count are epochs, not entries.
 */
export const deliveryWays = ['blocks', 'http', 'attributes', 'proof', 'keys'] as const;
export type DeliveryWay = (typeof deliveryWays)[number];

/** Who reads which log, in which way. */
export interface Consumer {
  readonly logId: LogId;
  /** Of the log; without it nothing is counted. */
  readonly genesis: PortGenesis | undefined;
  /** The organisation that reads, or who signed a bearer. */
  readonly organisation: Did;
  /** By which peer; none over HTTP. */
  readonly peer?: string;
  /** CIDs of the delegations that were shown, root first; empty where none was needed. */
  readonly cids: readonly string[];
  readonly way: DeliveryWay;
}

/** What was handed over. */
export interface Handed {
  /** Half-open; empty where no content was in it. */
  readonly from: number;
  readonly to: number;
  /** Entries of it that had content; proofs; epochs. */
  readonly count: number;
  readonly bytes: number;
}

export interface Meter {
  /** Told as it is handed to the connection: one that breaks may have taken less. */
  delivered(handed: Handed): void;
}

export interface UsagePort {
  /** For a reading that goes on; undefined where it is not counted. */
  meter(consumer: Consumer): Meter | undefined;
  /** A single delivery. */
  delivered(consumer: Consumer, handed: Handed): void;
}
