/** The limits of access: tokens, grants, revocations, deliveries. Members of `limits` (limits.ts). */
export const accessLimits = {
  /** UCAN bearers remembered so that none is good twice; then `rate-limited` until some expire. */
  maxInvocations: 65_536,
  /** Revocations of delegations that are kept; then `revocations-full`. */
  maxRevocations: 100_000,
  /** Of these, such by keys that are known from nowhere; further ones are not taken. */
  maxStrangeRevocations: 10_000,
  /** Blocks of a revoked writer that are kept where its log ends. */
  maxRevokedBlocks: 16,
  /** Logs that one revocation of a writer names. */
  maxRevokedLogs: 4096,
  /** How old our view of an owner's revocations may be; then its direct streams are not served. */
  maxRevocationLagMs: 300_000,
  /** A registry is stated to be fresh at most so often, and how often a peer of its owner asks for it. */
  freshnessEveryMs: 30_000,
  freshnessPollMs: 15_000,
  /** A freshness line is passed on while it is no older. */
  freshnessPassMs: 60_000,
  /** Registries whose freshness is known; the one that was heard of longest ago goes. */
  maxFreshRegistries: 10_000,
  /** Good signatures of delegations that are remembered; the oldest goes. */
  maxVerifiedSignatures: 16_384,
  /** Grants kept, given and got; then `grant-full`. */
  maxGrants: 1_000_000,
  /** Of these, such that others made of ours by handing them on; further ones are not listed. */
  maxGrantsThrough: 10_000,
  /** Requests for grants that are kept, in all and open ones of one organisation; then `requests-full`. */
  maxGrantRequests: 10_000,
  maxGrantRequestsPerOrganisation: 16,
  /** Requests are forgotten after so long, answered or not. */
  maxRequestAgeMs: 2_592_000_000,
  /** Epochs ahead of the open one whose keys a reader of a sealed stream gets before they open. */
  keyLeaseEpochs: 24,
  /** Links of chains by which epoch keys went out that are remembered; the oldest goes. */
  maxKeyChains: 100_000,
  /** Pages of epoch keys that are fetched at one look, and how far ahead of a log they are kept; the rest is not taken. */
  maxKeyPages: 64,
  maxKeysAhead: 65_536,
  /** How long the revocation of a grant waits for the new generation; it begins as soon as it can. */
  generationWaitMs: 5000,
  /** How long a live reader waits for keys that were asked for; then it is given what is sealed as it is. */
  liveKeyWaitMs: 5000,
  /** Longest wait before a reader asks again for epoch keys that it did not get. */
  maxKeyBackoffMs: 60_000,
  /** How often open requests are asked about, and how often the logs of a granted stream. */
  accessPollMs: 3000,
  accessCardMs: 60_000,
  /** A grant is renewed so long before its end, or in the last third of its life where that is shorter. */
  accessRenewMs: 604_800_000,
  /** How often deliveries go into the journal, merged; a crash loses at most what came since. */
  deliveryJournalMs: 60_000,
  /** Ranges kept of one consumer and log; beyond it the nearest are joined, and say so. */
  maxDeliveryPieces: 64,
  /** Consumers, by peer, log and grant, with an account of their own; all others share one a log. */
  maxUsageRows: 100_000,
  /** Newest deliveries of a log that one trace looks at; of older ones it tells between which times. */
  maxTracedDeliveries: 2000,
} as const;
