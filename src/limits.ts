/**
 * Every limit, in one place. Those under `protocol` are part of the wire format; the rest can be set
 * as `limits.<name>` in config.yaml. What happens when one is reached stands beside it.
 */
import { accessLimits } from './limits-access.ts';
export { protocol } from './limits-protocol.ts';

/** Those but for access. */
export const nodeLimits = {
  /** A node that is told to stop has this long to finish; then its process ends as it is. */
  drainMs: 9000,
  /** A log under run/ longer than this is set aside as node.log.1 at the next start. */
  maxLogBytes: 33_554_432,
  /** How often a command looks whether another process has started or ended. */
  pollMs: 25,
  /** `hw follow` waits this long for the card of a stream that is not known yet; then it only says so. */
  followWaitMs: 5000,
  /** Lines of an NDJSON request, and bytes of their events, that gather to be published together. */
  maxPublishEvents: 1000,
  maxPublishBytes: 4_194_304,
  /** Imported public keys kept by the signature checker; least recently used goes. */
  maxKeyObjects: 10_000,
  /** Shortest and longest wait for more events before a block is cut; a quiet stream does not wait. */
  minLingerMs: 2,
  maxLingerMs: 20,
  /** Events waiting for a block, per log; then `busy` (HTTP 429). */
  maxPendingEvents: 16_384,
  /** Bytes waiting for a block, per log; then `busy`. */
  maxPendingBytes: 33_554_432,
  /** A step of the clock ahead of the last entry that a writer alone refuses to sign. */
  maxClockStepMs: 7_776_000_000,
  /** Events and bytes of one publish call; then `batch-too-large`. */
  maxBatchEvents: 8192,
  maxBatchBytes: 16_777_216,
  /** Rows of a dedupe slice at first and at most; a full slice is followed by one of four times the rows. */
  minDedupeSliceRows: 4096,
  maxDedupeSliceRows: 4_194_304,
  /** Size of the guard file; when its journal is full it is written anew. */
  guardFileBytes: 262_144,
  /** Table blocks, write buffer and cache of LevelDB, and what one read of an iterator may hold. */
  storeBlockBytes: 16_384,
  storeWriteBufferBytes: 16_777_216,
  storeCacheBytes: 16_777_216,
  storeMaxOpenFiles: 512,
  storeReadAheadBytes: 1_048_576,
  /** A stored value above this is not read: it cannot be ours. */
  maxStoredValueBytes: 16_777_216,
  /** Blocks verified and being written by a replica, per log; further ones wait for the store. */
  maxUnwrittenBlocks: 16,
  /** Newest blocks of all logs kept in memory for those who follow them; the oldest goes. */
  maxRecentBlockBytes: 8_388_608,
  /** Tiles kept unpacked for proofs; least recently used goes. */
  maxCachedTiles: 2048,
  /** Blocks that one trace keeps open; the one used longest ago goes. */
  maxLineageBlocks: 32,
  /** Steps of one trace, and how far it may go at most; then it is cut and says so. */
  lineageNodes: 20_000,
  maxLineageNodes: 100_000,
  maxLineageDepth: 100_000,
  /** Places where a trace was cut that its answer lists; the rest is counted. */
  maxLineagePending: 1000,
  /** Logs that are not kept here which one trace or bundle reads from peers, the bytes of their
   * blocks, and the time it takes for them; then it is cut and says where it goes on. */
  maxForeignLogs: 256,
  maxForeignBytes: 67_108_864,
  maxForeignMs: 60_000,
  maxForeignBundleMs: 600_000,
  /** Of these, blocks kept in memory while it lasts; the one that was fetched first goes. */
  maxForeignCacheBytes: 16_777_216,
  /** Peers named by a stream's card that are dialled for it at once, and how long they may take. */
  maxLookupDials: 4,
  lookupDialMs: 3000,
  /** A search for one answer among all connected peers; silent ones must not hold it up for long. */
  lookupMs: 20_000,
  /** Entries of an audit bundle that its page lists; the rest is counted. */
  maxBundlePageEntries: 2000,
  /** Attestations shown of one event, and events of one trace that are asked for them. */
  maxAttestations: 16,
  maxAttestedNodes: 1000,
  /** Logs that a card lists of one partition after its first. */
  maxSuccessors: 64,
  /** Foreign blocks of a forked log kept as evidence; further ones are not needed. */
  maxForkEvidence: 16,
  /** Fork proofs kept of logs that this home does not hold, half of them where no registry names the log. */
  maxForeignForks: 256,
  /** Alerts that a neighbour may send per minute; the rest is ignored. */
  alertsPerMinute: 60,
  /** Peers that are told of a new fork directly, beside the gossip, and asked for the other history. */
  maxForkTold: 16,
  /** Cosigned checkpoints kept of one log, and those of logs that we are behind; the oldest goes. */
  maxCosignedPerLog: 16,
  maxCosignedAhead: 1024,
  /** Shortest time between two checkpoints of one log that one witness is sent. */
  witnessIntervalMs: 1000,
  /** A request to a witness; then it is tried again, later each time, at the latest after so long. */
  witnessTimeoutMs: 10_000,
  witnessBackoffMs: 1000,
  maxWitnessBackoffMs: 60_000,
  /** Requests to witnesses under way; the others wait. */
  maxWitnessRequests: 32,
  /** A witness that is behind for so long is a warning; entries older than this must be cosigned. */
  witnessGraceMs: 60_000,
  /** As a witness: origins that are cosigned, and requests that wait for the disk; then 429. */
  maxWitnessedLogs: 100_000,
  maxWitnessQueue: 4096,
  /** As a witness: requests a second from one address over HTTP; then 429. */
  maxWitnessedPerSecond: 5000,
  /** Keys of logs that are witnessed but not followed; the oldest is fetched again. */
  maxWitnessedKeys: 4096,
  /** Wait for `ack=replicated:N` and `ack=witnessed`; then the receipt says what was reached. */
  ackTimeoutMs: 10_000,
  /** A replica that is asked to acknowledge waits so long for the blocks; then `behind`. */
  ackPatienceMs: 2000,
  /** Shortest time between two requests for an acknowledgement to one peer. */
  ackIntervalMs: 25,
  /** Publishes that wait for an acknowledgement; then `queue-full` at once. */
  maxAckWaiters: 4096,
  /** Runs of lines of one NDJSON publish that wait for an acknowledgement; then reading stops. */
  maxUnackedRuns: 64,
  /** How long an own log waits at the start for a word of those who keep it (restoreGuard), and the
   * publishes to it with it; then `head-unconfirmed`, or in the mode `normal` it goes on. */
  restoreGuardMs: 10_000,
  /** After the first word on a head: others who are just being asked have their say. */
  confirmSettleMs: 500,
  /** How often peers are asked for the heads of own logs that wait, and how many of them. */
  confirmPollMs: 1000,
  maxConfirmPeers: 8,
  /** Unproved heads beyond ours that put off a confirmation once `restoreGuardMs` is over; later ones do not. */
  maxConfirmDoubts: 10,
  /** Rows of a backup that are compressed together, and the most that is taken of one such frame. */
  backupFrameBytes: 1_048_576,
  maxBackupFrameBytes: 67_108_864,
  /** Rows of a backup that are restored in one batch. */
  restoreBatchBytes: 4_194_304,
  /** Sealed logs whose epochs are kept in memory, and epoch keys that were derived; least recently used goes. */
  maxEpochLogs: 256,
  maxDerivedEpochKeys: 1024,
  /** Shortest time that a key epoch of a sealed stream can last. */
  minEpochMs: 1000,
  /** A file of epoch keys above this is not read. */
  maxEpochFileBytes: 67_108_864,
  /** Cursors of one home; then `busy`. */
  maxCursors: 10_000,
  /** The scrub reads no more than this a second: a twentieth of a core, so publishing hardly feels it. */
  scrubEventsPerSecond: 5000,
  scrubBytesPerSecond: 4_194_304,
  /** A round over all logs begins at most so often; what could not be repaired is tried again after. */
  minScrubRoundMs: 3_600_000,
  scrubRetryMs: 15_000,
  /** Findings of the scrub that are kept; repaired ones go first, then the oldest. */
  maxScrubFindings: 1000,
  /** Wait before a writer whose store failed tries it again. */
  storeRetryMs: 1000,
  /** Within this time a repeated source + id is recognised. */
  dedupeWindowMs: 2_592_000_000,
  /** Memory of the dedupe filters; beyond it look-ups go to the store. */
  maxDedupeFilterBytes: 67_108_864,
  /** How often a node looks for bodies that a stream's retention lets go. */
  retentionIntervalMs: 60_000,
  /** Blocks rewritten in one batch, and blocks whose subjects are compared at once, by retention. */
  retentionBatchBlocks: 16,
  retentionCompactBlocks: 64,
  /** Characters of the reason of a redaction; longer ones are refused. */
  maxReasonLength: 1024,
  /** How long, and in how many bytes of blocks, the content of the journal is kept. */
  journalMaxAgeMs: 7_776_000_000,
  journalMaxBytes: 67_108_864,
  /** A replica flushes at least this often. */
  flushIntervalMs: 1000,
  /** Text of one event: a body of 192 KiB in which JSON escapes every byte; then refused. */
  maxEventTextBytes: 1_310_720,
  /** One JSON batch; a larger one is refused whole. */
  maxJsonBatchEvents: 1000,
  maxJsonBatchBytes: 8_388_608,
  /** Blocks ahead of our head kept while the gap is fetched, per log and in all; then dropped. */
  maxOrphanBlocksPerLog: 64,
  maxOrphanBytes: 67_108_864,
  /** Pages of one key chain that are fetched; a longer one is refused. */
  maxKeysPages: 1024,
  /** Bytes asked for in one page of blocks; the next page may come from another peer. */
  syncPageBytes: 8_388_608,
  /** How long a gap before a gossiped block may close by itself before it is fetched. */
  gapPatienceMs: 40,
  /** Logs fetched at once, and from one peer at once; the others wait their turn. */
  maxConcurrentSyncs: 8,
  maxSyncsPerPeer: 4,
  /** Streams of one protocol that a peer may have open with us; then `rate-limited`. */
  maxStreamsPerPeer: 16,
  /** Live reads served in all; then `rate-limited`. */
  maxLiveReads: 256,
  /** Logs that we read live because they have no topic; the others are polled. */
  maxLivePulls: 256,
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
  /** The first such meeting after a start; then after twice the time, up to the above. */
  firstMeetingMs: 2000,
  peerBackoffMs: 2000,
  maxPeerBackoffMs: 120_000,
  /** Time limits: the hello, any other short request, and silence within a long one. */
  helloTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  streamIdleMs: 20_000,
  /** Peers that a node tries to keep connected, how often it looks, and how many it remembers. */
  wantedPeers: 8,
  dialIntervalMs: 5000,
  /** How often one more peer is dialled than needed, so that the parts of a split network meet. */
  exploreIntervalMs: 60_000,
  /** Of the peers that a stream's card names, so many are kept connected. */
  wantedServers: 2,
  maxKnownPeers: 4096,
  /** Dials begun at one look. */
  maxDialsAtOnce: 4,
  /** Points at which a peer is left out (a bad block costs 50), and how fast they are forgiven. */
  barScore: 90,
  scoreHalfLifeMs: 600_000,
  /** Peers whose score and counters are kept; the quietest goes. */
  maxScoredPeers: 4096,
  /** Registry announcements a neighbour may send per minute; the rest is ignored. */
  announcementsPerMinute: 120,
  /** Shortest time between two announcements of our registry, and the time between repeats. */
  announceDebounceMs: 1000,
  announceRepeatMs: 600_000,
  /** Registries that a peer keeps without being told to, and whose announcements it remembers. */
  maxRegistries: 10_000,
  /** Clock samples kept (one an organisation), and how long one counts. */
  maxClockSamples: 1024,
  clockSampleMs: 600_000,
  /** What a registry may say of an organisation; a larger entry is not read. */
  maxCardPeers: 64,
  maxCardAddresses: 16,
  /** Connections in all, from one address (an IPv6 /64) and of one organisation; more are refused. */
  maxConnections: 256,
  maxConnectionsPerAddress: 64,
  maxConnectionsPerOrganisation: 32,
  /** New inbound connections a second from one address, and those being set up; more are refused. */
  maxInboundPerSecond: 5,
  maxPendingInbound: 64,
  /** Bans and bars remembered; the oldest bar goes, bans stay. */
  maxBarredPeers: 4096,
  /** Streams of one protocol that one connection may have open; more are reset. */
  maxStreamsPerProtocol: 64,
  /** Bytes of a stream that wait to be read or sent; above it the other side or the sender waits. */
  maxStreamReadBytes: 655_360,
  maxStreamWriteBytes: 262_144,
  /** The other side of a stream may send this much ahead of us. */
  maxStreamWindowBytes: 1_048_576,
  /** A stream on which nothing moves for so long is reset; the same after both sides should end. */
  streamStallMs: 120_000,
  streamLingerMs: 5000,
  /** Gossip bytes that wait for one peer: above it the peer's stream is dropped and made anew. */
  maxGossipBufferBytes: 16_777_216,
  /** Own gossip waits while a neighbour has more than this waiting, at most so long. */
  gossipPaceBytes: 262_144,
  maxGossipWaitMs: 1000,
  /** Own gossip waiting for its turn; then `gossip-busy`. */
  maxGossipQueueBytes: 16_777_216,
  /** Gossip being judged: messages of one peer, messages and bytes in all; then ignored. */
  maxUnjudgedPerPeer: 256,
  maxUnjudged: 1024,
  maxUnjudgedBytes: 33_554_432,
  /** Messages kept for neighbours that missed them, and what one of them may ask for a heartbeat. */
  maxGossipCacheBytes: 16_777_216,
  maxGossipAnswerBytes: 2_097_152,
  /** Heartbeat of the gossip mesh, and how many without gossip streams before a pair is made anew. */
  gossipHeartbeatMs: 1000,
  watchdogHeartbeats: 12,
  /** How long a peer and its addresses are remembered. */
  peerMemoryMs: 1_209_600_000,
  /** What a relayed connection may carry, and for how long, where this peer is a relay. */
  maxRelayedBytes: 67_108_864,
  maxRelayedMs: 3_600_000,
  maxRelayReservations: 128,
  /** Time limits for dialling, setting up an inbound connection, and hanging up politely. */
  dialTimeoutMs: 10_000,
  inboundSetupMs: 10_000,
  hangUpMs: 500,
  /** Entries of one list of the operator's decisions (followed, paused, banned); more are refused. */
  maxControlEntries: 10_000,
  /** A pause between two events is never longer than this in a replay at the original pace. */
  maxReplayGapMs: 60_000,
  /** Free disk below this is a warning; publishing stops with `disk-full` when a write fails. */
  minFreeDiskBytes: 268_435_456,
  /** A clock this far off the peers' median is a warning. */
  clockWarningMs: 30_000,
  /** A reader that takes nothing for so long is cut off; it resumes by cursor or last event id. */
  maxReaderStallMs: 30_000,
  /** What such a reader, or one that is told to go, gets to take its last words. */
  readerHangUpMs: 1000,
  /** Unread answers of an NDJSON ingest, and the wait for them to be read; then `receipts-unread`. */
  maxUnreadReceiptBytes: 1_048_576,
  maxReceiptWaitMs: 1000,
  /** Requests a second of one caller on the API; above it 429. */
  maxApiRequestsPerSecond: 20_000,
  /** Connections to the API; more are closed at once. */
  maxApiConnections: 2048,
  /** Requests that are being answered when the node stops have this long. */
  apiDrainMs: 5000,
  /** Sent to an idle SSE or WebSocket reader, so that a dead connection shows. */
  keepAliveMs: 15_000,
  /** A body of the API that is not events. */
  maxApiBodyBytes: 262_144,
  /** Of a body over its limit, as declared, that is read to its end so that its sender gets the answer. */
  maxDiscardedBodyBytes: 33_554_432,
  /** Until the head of a request is complete; then the connection is closed. */
  apiHeadersTimeoutMs: 20_000,
  /** The head of a request to the API, in which a UCAN bearer has room; then 413. */
  maxApiHeaderBytes: 65_536,
  /** Requests a second of one address that do not bring the token of the home; then 429. */
  maxStrangerRequestsPerSecond: 200,
  /** Addresses whose requests are counted; the one that rested longest is forgotten. */
  maxCallerAddresses: 65_536,
  /** How long a ticket is good, and how many wait to be used, in all and of one caller; then 429. */
  ticketLifeMs: 30_000,
  maxTickets: 4096,
  maxTicketsPerCaller: 256,
  /** The public listener: connections in all and of one address; more are closed at once. */
  maxPublicConnections: 1024,
  maxPublicConnectionsPerAddress: 64,
  /** The public listener: requests a second of one address; then 429. */
  maxPublicRequestsPerSecond: 1000,
  /** The public listener: the head of a request, until it is complete, until all is there. */
  maxPublicHeaderBytes: 8192,
  publicHeadersTimeoutMs: 5000,
  publicRequestTimeoutMs: 15_000,
  /** The public listener: a connection on which nothing moves for so long is closed. */
  publicIdleTimeoutMs: 10_000,
  /** Shortest time between two journal entries on callers who were refused; the entry counts the rest. */
  deniedJournalMs: 1000,
  /** A message from a WebSocket reader, who has nothing to say. */
  maxSocketMessageBytes: 4_096,
  /** How long an invite line can be used. */
  inviteLifeMs: 604_800_000,
  /** Peers that were refused and are still shown; the oldest goes. */
  maxRefusedPeers: 256,
  /** How often a node looks for what is not as it should be; what is new goes to the journal. */
  checkIntervalMs: 5_000,
  /** Journal entries waiting to be written; the oldest goes, and the journal says how many. */
  maxJournalQueue: 1024,
  maxJournalBatch: 128,
  /** Logs remembered of all cards of one stream; those of the present card count in any case. */
  maxLogsPerCard: 4096,
  /** URLs that a node follows (then `control-full`), and logs that one of them may list. */
  maxUrlFollows: 256,
  maxUrlLogs: 4096,
  /** URLs asked at once, and files fetched ahead from one of them. */
  maxUrlsAtOnce: 4,
  urlFetchesAhead: 8,
  /** Requests a second to one URL; further ones wait. */
  urlRequestsPerSecond: 1000,
  /** How often a URL is looked at, and at most how long it rests after failures. */
  urlPollMs: 10_000,
  maxUrlBackoffMs: 300_000,
  /** A request to a URL that takes longer has failed, and its list of logs above this is refused. */
  urlTimeoutMs: 30_000,
  maxUrlIndexBytes: 1_048_576,
  /** Files of a static tree that are written at once. */
  exportWritesAtOnce: 8,
  /** How long a tile, and how long a checkpoint or block of a static tree may be kept in a cache. */
  tileCacheSeconds: 31_536_000,
  checkpointCacheSeconds: 10,
  blockCacheSeconds: 300,
  /** Streams read from one registry; further ones are not listed. */
  maxStreamsPerRegistry: 10_000,
} as const;

export const limits: typeof nodeLimits & typeof accessLimits = { ...nodeLimits, ...accessLimits };
