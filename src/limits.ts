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
} as const;
