/**
 * Every limit, in one place. Those under `protocol` are part of the wire format and equal for
 * everyone; the rest can be set as `limits.<name>` in config.yaml. What happens when one is reached
 * stands beside it.
 */
export const protocol = {
  /** Entries in a block, seal included; a block is cut. */
  maxBlockEvents: 256,
  /** Encoded size at which a writer cuts a block. */
  maxBlockBytes: 245_760,
  /** A full wire block or gossip message above this is refused. */
  maxMessageBytes: 262_144,
  /** A stream frame above this ends the stream. */
  maxFrameBytes: 327_680,
  /** Public or sealed body. */
  maxBodyBytes: 196_608,
  maxLeafBytes: 65_535,
  maxParents: 256,
  maxPartitions: 256,
  /** A public message this far in the future is ignored, a writer this far off refuses to sign. */
  maxClockSkewMs: 300_000,
  /** A UCAN delegation above this is refused before it is decoded. */
  maxTokenBytes: 8_192,
  /** Links of a proof, root to leaf; a longer chain is refused. */
  maxProofLinks: 8,
  /** Allowance at both ends of a delegation's time bounds. */
  tokenSkewSeconds: 60,
} as const;

export const limits = {
  /** Imported public keys kept by the signature checker; least recently used goes. */
  maxKeyObjects: 10_000,
  /** Shortest and longest wait for more events before a block is cut. */
  minLingerMs: 2,
  maxLingerMs: 20,
  /** Events waiting for a block, per log; then `busy` (HTTP 429). */
  maxPendingEvents: 16_384,
  /** Bytes waiting for a block, per log; then `busy`. */
  maxPendingBytes: 33_554_432,
  /** A step of the clock ahead of the last entry that a writer alone refuses to sign. */
  maxClockStepMs: 7_776_000_000,
  /** Within this time a repeated source + id is recognised. */
  dedupeWindowMs: 2_592_000_000,
  /** Memory of the dedupe filters; beyond it look-ups go to the store. */
  maxDedupeFilterBytes: 67_108_864,
  /** A replica flushes at least this often. */
  flushIntervalMs: 1000,
  /** Blocks ahead of our head kept while the gap is fetched, per log and in all; then dropped. */
  maxOrphanBlocksPerLog: 64,
  maxOrphanBytes: 67_108_864,
  /** Entries of a heads page, in either direction; `page-over-limit` above. */
  maxHeadsPage: 4096,
  /** Bytes of a page of `/keys` or of head rows; the next page follows. */
  maxKeysPageBytes: 65_536,
  maxHeadsPageBytes: 262_144,
  /** Logs listed in one heads exchange; the rest waits for the next one, in turn. */
  maxHeadsRows: 65_536,
  /** Bytes of blocks sent but not acknowledged, per stream; then the sender waits. */
  maxUnackedBytes: 1_048_576,
  /** Bytes asked for in one page of blocks; the next page may come from another peer. */
  syncPageBytes: 8_388_608,
  /** Logs fetched at once, and from one peer at once; the others wait their turn. */
  maxConcurrentSyncs: 8,
  maxSyncsPerPeer: 4,
  /** Streams of one protocol that a peer may have open with us; then `rate-limited`. */
  maxStreamsPerPeer: 16,
  /** Live reads served in all; then `rate-limited`. */
  maxLiveReads: 256,
  /** Requests of one peer per second, and how many it may save up; then `rate-limited`. */
  requestsPerSecond: 50,
  requestBurst: 400,
  /** Gossiped blocks being judged, per peer and in all; above it they are ignored and synced. */
  maxJudgingPerPeer: 64,
  maxJudging: 512,
  /** Own blocks waiting to be gossiped; the oldest is dropped and reaches others by sync. */
  maxPublishQueue: 1024,
  /** Block topics a peer subscribes to; logs above it are read by live pulls. */
  maxBlockTopics: 1000,
  /** Peers remembered as having a log; the one that offers least goes. */
  maxSourcesPerLog: 32,
  /** Anti-entropy with a random peer, and the wait before a failed peer is asked again. */
  antiEntropyMs: 30_000,
  peerBackoffMs: 2000,
  maxPeerBackoffMs: 120_000,
  /** Time limits: the hello, any other short request, and silence within a long one. */
  helloTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  streamIdleMs: 20_000,
  /** A live read says that it is alive at least this often. */
  livePulseMs: 10_000,
  /** Peers that a node tries to keep connected, how often it looks, and how many it remembers. */
  wantedPeers: 8,
  dialIntervalMs: 5000,
  maxKnownPeers: 4096,
  /** Points at which a peer is left out (a bad block costs 50), and how fast they are forgiven. */
  barScore: 100,
  scoreHalfLifeMs: 600_000,
  /** Peers whose score and counters are kept; the quietest goes. */
  maxScoredPeers: 4096,
  /** Registry announcements a neighbour may send per minute; the rest is ignored. */
  announcementsPerMinute: 120,
  /** Shortest time between two announcements of our registry, and the time between repeats. */
  announceDebounceMs: 1000,
  announceRepeatMs: 600_000,
  /** Clock samples kept (one an organisation), and how long one counts. */
  maxClockSamples: 1024,
  clockSampleMs: 600_000,
  /** What a registry may say of an organisation; a larger entry is not read. */
  maxCardPeers: 64,
  maxCardAddresses: 16,
  /** Registries kept while this node has not the role `catalog`; further ones are not followed. */
  maxRegistries: 10_000,
  /** Journal entries waiting to be written; the oldest goes, and the journal says how many. */
  maxJournalQueue: 1024,
  maxJournalBatch: 128,
  /** Streams read from one registry; further ones are not listed. */
  maxStreamsPerRegistry: 10_000,
} as const;
