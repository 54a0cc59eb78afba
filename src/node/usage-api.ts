/** What was delivered to whom, as the API shows it. */
import type { DeliveryWay } from '../gossip/usage-port.ts';
import type { Did, LogId, TimeMs } from '../types.ts';

/** One peer of a reader, or one way without a peer. */
export interface UsageByPeer {
  readonly way: DeliveryWay;
  /** Absent: there was no room for an account of its own. */
  readonly organisation?: Did;
  readonly organisationName?: string;
  /** Absent over HTTP. */
  readonly peer?: string;
  /** Events with content; of way `proof` proofs, of `keys` epochs. */
  readonly count: number;
  readonly bytes: number;
  readonly first: TimeMs;
  readonly last: TimeMs;
}

/** What was read: indexes, half-open; of way `keys` epochs. */
export interface UsageRange {
  readonly log: LogId;
  readonly way: DeliveryWay;
  readonly from: number;
  readonly to: number;
  /** Not all between its ends. */
  readonly gaps?: true;
}

export interface UsageView {
  /** With their content; what was read twice counts twice. */
  readonly events: number;
  readonly bytes: number;
  readonly proofs: number;
  readonly epochs: number;
  readonly first: TimeMs;
  readonly last: TimeMs;
  /** The one that read last comes first. */
  readonly peers: readonly UsageByPeer[];
  readonly ranges: readonly UsageRange[];
}

/** Somebody who read without a grant that is kept here. */
export interface ReaderView extends UsageView {
  readonly stream: string;
  readonly owner: Did;
  /** What was read by blocks is ciphertext. */
  readonly sealed?: true;
  readonly organisation?: Did;
  readonly organisationName?: string;
  /** The grant that was shown, where there was one. */
  readonly grant?: string;
}

/** One delivery that held an entry. */
export interface DeliveredView {
  readonly organisation?: Did;
  readonly organisationName?: string;
  readonly peer?: string;
  readonly way: DeliveryWay;
  readonly grant?: string;
  /** Between these two times. */
  readonly first: TimeMs;
  readonly last: TimeMs;
  /** It may have been left out. */
  readonly gaps?: true;
}

export interface UsageApi {
  /** Undefined where nothing was read by it. */
  ofGrant(id: string): UsageView | undefined;
  /** By stream and organisation. */
  readers(): readonly ReaderView[];
  /** Who was given an entry, or keys of its log, and between which times at the most; the last first. */
  ofEntry(log: LogId, index: number): readonly DeliveredView[];
  /** The same, each delivery by itself as far back as `maxTracedDeliveries` of the journal reach. */
  deliveriesOf(log: LogId, index: number): Promise<readonly DeliveredView[]>;
}
