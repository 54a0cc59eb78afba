/** What a peer reports about its traffic (network.md "What each peer reports"). Counts only grow. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
}

const names = [
  'blocksPublished',
  'publishFailed',
  'publishDropped',
  'blocksGossiped',
  'gossipAccepted',
  'gossipIgnored',
  'gossipRejected',
  'gossipOverflow',
  'orphansKept',
  'orphansApplied',
  'syncPages',
  'syncBlocks',
  'syncFailures',
  'repairRequests',
  'headsExchanges',
  'announcements',
  'announcementsLimited',
  'requestsRefused',
  'accessDenied',
  'revocationsTaken',
  'applyFailures',
  'forksTaken',
  'forksRefused',
  'alertsLimited',
  'cosignedKept',
  'cosignedRefused',
  'freshnessKept',
  'freshnessRefused',
  'defects',
] as const;
export type CounterName = (typeof names)[number];

export class Counters {
  readonly #counts = new Map<CounterName, number>(names.map((name) => [name, 0]));
  readonly #traffic = new Map<string, { bytesIn: number; bytesOut: number; requests: number }>();

  add(name: CounterName, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  bytes(protocol: string, direction: 'in' | 'out', bytes: number): void {
    const traffic = this.#protocol(protocol);
    if (direction === 'in') traffic.bytesIn += bytes;
    else traffic.bytesOut += bytes;
  }

  request(protocol: string): void {
    this.#protocol(protocol).requests += 1;
  }

  counts(): ReadonlyMap<CounterName, number> {
    return this.#counts;
  }

  /** By protocol, in both roles. The set of protocols is ours and small. */
  traffic(): ReadonlyMap<string, Traffic> {
    return this.#traffic;
  }

  #protocol(protocol: string): { bytesIn: number; bytesOut: number; requests: number } {
    const found = this.#traffic.get(protocol);
    if (found !== undefined) return found;
    const traffic = { bytesIn: 0, bytesOut: 0, requests: 0 };
    this.#traffic.set(protocol, traffic);
    return traffic;
  }
}
