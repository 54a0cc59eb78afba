/**
 * Limits that are part of the wire format: the same for every peer, so they cannot be set. What
 * happens when one is reached stands beside it.
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
  /** A leaf above this is refused. */
  maxLeafBytes: 65_535,
  /** References to inputs in one leaf; more are refused. */
  maxParents: 256,
  /** Exact rows of the reverse index for one block; its further parents get one coarse row each. */
  maxLineageRowsPerBlock: 16_384,
  /** Partitions of a stream. */
  maxPartitions: 256,
  /** Signature lines in a signed note, and its bytes; a note above either is refused. */
  maxNoteSignatures: 100,
  maxNoteBytes: 262_144,
  /** A proof of one event; `proof-too-large` above. */
  maxProofBytes: 1_048_576,
  /** A fork proof fits one gossip message with room for its envelope; `proof-too-large` above. */
  maxForkProofBytes: 260_000,
  /** A line of an audit bundle; `bundle-too-large` above, as for the four below. */
  maxBundleLineBytes: 1_048_576,
  /** An audit bundle may unpack to so many times its own bytes, above the first 64 MiB, and to so many in all. */
  maxBundleRatio: 200,
  freeBundleBytes: 67_108_864,
  maxBundleBytes: 1_099_511_627_776,
  /** Logs in an audit bundle, control entries of one of them, and inputs that it names. */
  maxBundleLogs: 4096,
  maxBundleControls: 65_536,
  maxBundleInputs: 200_000,
  /** Hashes of an inclusion or consistency proof: a tree has at most 2^63 leaves. */
  maxProofHashes: 63,
  /** An add-checkpoint request to a witness, and its answer; refused above. */
  maxWitnessRequestBytes: 65_536,
  maxWitnessAnswerBytes: 65_536,
  /** Cosignature lines of one checkpoint that are kept and passed on. */
  maxCosignatures: 16,
  /** Organisations that an `ack=replicated:N` may ask for. */
  maxAckReplicas: 64,
  /** A trust policy file, and its logs, witnesses and groups together; refused above. */
  maxPolicyBytes: 262_144,
  maxPolicyNames: 1024,
  /** A public message this far in the future is ignored, a writer this far off refuses to sign. */
  maxClockSkewMs: 300_000,
  /** Organisations whose clocks differ from ours so far that a writer refuses to sign; fewer only warn. */
  minClockOpinions: 3,
  /** A UCAN delegation above this is refused before it is decoded. */
  maxTokenBytes: 8_192,
  /** Segments of a selector in a token's policy; a longer one is refused. */
  maxSelectorSegments: 32,
  /** An invocation expires at most this long after it was issued (access.md "Tokens"). */
  maxInvocationSeconds: 300,
  /** Links of a proof, root to leaf; a longer chain is refused. */
  maxProofLinks: 8,
  /** The grant field of a request, an invocation with its delegations; a longer one is refused. */
  maxGrantFieldBytes: 65_536,
  /** Characters of the purpose of a request for a grant, and of the answer to it. */
  maxPurpose: 512,
  /** Nodes of key trees in one delivery of epoch keys, and deliveries in one answer; the rest comes in the next. */
  maxKeyNodes: 256,
  maxKeyDeliveries: 16,
  /** Tokens in a UCAN container; a larger one is refused. */
  maxContainerTokens: 16,
  /** A key file above this is refused unread. */
  maxKeyFileBytes: 4_096,
  /** Largest scrypt N taken from a key file: 256 MiB at r = 8. */
  maxScryptCost: 262_144,
  /** Tokens of a stolen key that its succession names as still good. */
  maxKeptTokens: 1_024,
  /** A network document above this is refused; it must fit a gossip message. */
  maxNetworkDocumentBytes: 260_000,
  /** The signed part of a network's first document, which every later one carries. */
  maxNetworkFoundingBytes: 16_384,
  /** Organisations that a network document lists. */
  maxNetworkMembers: 4_000,
  /** Bootstrap addresses, and witnesses, of a network document. */
  maxNetworkAddresses: 16,
  /** An invite line above this many characters is refused. */
  maxInviteLength: 8_192,
  /** A request or an answer of an enrolment above this many characters is refused. */
  maxEnrolmentLength: 131_072,
  /** Allowance at both ends of a delegation's time bounds. */
  tokenSkewSeconds: 60,
  /** Entries of a heads page, in either direction; `page-over-limit` above. */
  maxHeadsPage: 4096,
  /** Registries of which one heads exchange asks how fresh they are. */
  maxFreshRows: 64,
  /** Bytes of a page of `/keys` or of head rows; the next page follows. */
  maxKeysPageBytes: 65_536,
  maxHeadsPageBytes: 262_144,
  /** Logs listed in one heads exchange; the rest waits for the next one, in turn. */
  maxHeadsRows: 65_536,
  /** Bytes of blocks sent but not acknowledged, per stream; then the sender waits. */
  maxUnackedBytes: 1_048_576,
  /** A live read says that it is alive at least this often. */
  livePulseMs: 10_000,
} as const;
