/**
 * Names of gossip topics (network.md "Topics"):
 *
 *   /headwater/1/<network>/blocks/<bucket>   wire blocks; bucket = the first 12 bits of the 32 bytes
 *                                            that the log id names, as 3 lower-case hex digits
 *   /headwater/1/<network>/registry          announcements of registry logs
 *   /headwater/1/<network>/alerts            revocations, fork proofs, network documents
 *
 * `<network>` is the text form of the network id. There are 4,096 buckets, so that all topics of a
 * network can be listed at start: gossipsub fixes its allowed topics when it is made.
 */
import { logIdHash } from '../ids.ts';
import type { LogId } from '../types.ts';

const bucketCount = 4096;

/** The bucket of a log, 0 to 4,095. */
export function bucketOf(logId: LogId): number {
  const hash = logIdHash(logId);
  return ((hash[0] ?? 0) << 4) | ((hash[1] ?? 0) >>> 4);
}

export function bucketTopic(network: string, bucket: number): string {
  return `/headwater/1/${network}/blocks/${bucket.toString(16).padStart(3, '0')}`;
}

/** The topic that carries the blocks of a log. */
export function topicOf(network: string, logId: LogId): string {
  return bucketTopic(network, bucketOf(logId));
}

export function registryTopic(network: string): string {
  return `/headwater/1/${network}/registry`;
}

export function alertsTopic(network: string): string {
  return `/headwater/1/${network}/alerts`;
}

/** Every topic of a network: `registry`, `alerts` and all buckets. */
export function allTopics(network: string): readonly string[] {
  const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucketTopic(network, bucket));
  return [registryTopic(network), alertsTopic(network), ...buckets];
}
