/** Publishing the week, each stream in time order, all organisations at once. */
import type { Peer } from './lib/peer.ts';
import type { StreamPlan } from './plan.ts';

/** Events of one request: small, so that there are many blocks on the way when a peer is killed. */
const batchSize = 8;

export interface Publisher {
  readonly peer: Peer;
  readonly stream: StreamPlan;
}

/**
 * Publishes everything; at half of each stream it waits for `halfway`, so that what the caller does
 * until then happens while events are still to come. Resolves with the number of receipts.
 */
export async function publishAll(
  publishers: readonly Publisher[],
  halfway: Promise<unknown>,
): Promise<number> {
  const counts = await Promise.all(
    publishers.map((publisher) => publishStream(publisher, halfway)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function publishStream(
  { peer, stream }: Publisher,
  halfway: Promise<unknown>,
): Promise<number> {
  const { events, title } = stream;
  const half = Math.ceil(events.length / 2);
  let last = -1;
  let receipts = 0;
  for (const part of [events.slice(0, half), events.slice(half)]) {
    for (let from = 0; from < part.length; from += batchSize) {
      const batch = part.slice(from, from + batchSize);
      for (const receipt of await peer.api.publish(title, batch)) {
        const index = receipt.number('index') ?? -1;
        if (index <= last) throw new Error(`${title}: index ${index} after ${last}`);
        last = index;
        receipts += 1;
      }
    }
    await halfway;
  }
  return receipts;
}
