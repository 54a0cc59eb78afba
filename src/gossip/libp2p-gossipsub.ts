/**
 * Gossipsub with the settings of network.md, "Topics". What differs from its defaults, and why:
 *
 * - No signatures (blocks carry their own) and ids from topic and payload, so a block is one message
 *   whoever publishes it.
 * - Scores: no penalty for many peers at one address (the gate limits that; the default drops all
 *   peers of one machine from the eleventh on) and none for quiet topics. A rejected message costs
 *   its sender much; a broken promise to send something costs little, since a busy machine breaks it.
 * - Our own bounded message cache (message-cache.ts).
 * - Each peer may subscribe to 1,002 topics; the default budget ends just below.
 */
import {
  gossipsub,
  StrictNoSign,
  type GossipSub,
  type GossipsubOpts,
} from '@chainsafe/libp2p-gossipsub';
import type { Hasher } from '../crypto.ts';
import { utf8 } from '../bytes.ts';
import { protocol } from '../limits.ts';
import type { Libp2pOptions, TransportLimits } from './libp2p-options.ts';
import { BoundedMessageCache } from './message-cache.ts';

type MessageCache = GossipsubOpts['messageCache'];
type ScoreParams = GossipsubOpts['scoreParams'];
type TopicParams = NonNullable<ScoreParams['topics']>[string];

const messageIdBytes = 20;

/** First 20 bytes of SHA-256(topic ‖ payload). */
export function messageId(hasher: Hasher, topic: string, data: Uint8Array): Uint8Array {
  const name = utf8(topic);
  const input = new Uint8Array(name.length + data.length);
  input.set(name);
  input.set(data, name.length);
  return hasher.sha256(input).slice(0, messageIdBytes);
}

const topicParams: TopicParams = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.1,
  firstMessageDeliveriesDecay: 0.9,
  firstMessageDeliveriesCap: 50,
  // Topics may be quiet for days: nobody owes deliveries.
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  // Squared: one costs 20, three 180, which is below the graylist; halves in about a minute.
  invalidMessageDeliveriesWeight: -20,
  invalidMessageDeliveriesDecay: 0.99,
};

function scoreParams(topics: readonly string[]): Partial<ScoreParams> {
  return {
    topics: Object.fromEntries(topics.map((topic) => [topic, topicParams])),
    topicScoreCap: 10,
    IPColocationFactorWeight: 0,
    behaviourPenaltyThreshold: 6,
    behaviourPenaltyDecay: 0.9,
  };
}

/** The declared type is a class with a private field; gossipsub uses what ours has. */
function isMessageCache(cache: object): cache is MessageCache {
  return ['put', 'validate', 'remove', 'shift', 'getGossipIDs'].every((name) => name in cache);
}

function messageCache(limits: TransportLimits): { readonly messageCache?: MessageCache } {
  const cache = new BoundedMessageCache({
    maxBytes: limits.maxGossipCacheBytes,
    maxAnnouncedBytes: limits.maxGossipAnswerBytes,
    keepBeats: 5,
    announceBeats: 3,
  });
  return isMessageCache(cache) ? { messageCache: cache } : {};
}

export function gossipsubOf(
  options: Libp2pOptions,
  limits: TransportLimits,
): ReturnType<typeof gossipsub> {
  const { hasher, topics } = options;
  return gossipsub({
    ...messageCache(limits),
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: (message) => messageId(hasher, message.topic, message.data),
    allowedTopics: new Set(topics),
    asyncValidation: true,
    floodPublish: false,
    fallbackToFloodsub: false,
    emitSelf: false,
    doPX: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    runOnLimitedConnection: true,
    heartbeatInterval: limits.gossipHeartbeatMs,
    maxOutboundBufferSize: limits.maxGossipBufferBytes,
    // Answers to IWANT bundle messages, up to twice what may be announced, and one that runs over.
    maxInboundDataLength: 2 * limits.maxGossipAnswerBytes + 2 * protocol.maxMessageBytes,
    maxTopicBytesPerPeer: 2_097_152,
    gossipsubIWantFollowupMs: 12_000,
    scoreParams: scoreParams(topics),
  });
}

/** Mesh peers by topic; empty where this version of gossipsub keeps them elsewhere. */
export function meshOf(pubsub: GossipSub): ReadonlyMap<string, ReadonlySet<string>> {
  const sizes = new Map<string, ReadonlySet<string>>();
  if (!('mesh' in pubsub) || !(pubsub.mesh instanceof Map)) return sizes;
  const mesh: ReadonlyMap<unknown, unknown> = pubsub.mesh;
  for (const [topic, peers] of mesh) {
    if (typeof topic === 'string' && peers instanceof Set) sizes.set(topic, peers);
  }
  return sizes;
}
