/** The alerts topic: newer network documents; revocations and fork proofs come with their issues. */
import { fault, type Fault } from '../errors.ts';
import type { Result, Verdict } from '../result.ts';
import type { PeerId } from '../types.ts';
import { decodeAlert, encodeAlert } from './announcement-codec.ts';
import { penalise, type Net } from './net.ts';
import { penalty } from './scores.ts';
import { alertsTopic } from './topics.ts';

export class Alerts {
  readonly #net: Net;
  readonly #taken: () => void;

  /** `taken` is told when a newer document is in force. */
  constructor(net: Net, taken: () => void) {
    this.#net = net;
    this.#taken = taken;
  }

  async announce(document: Uint8Array): Promise<Result<void>> {
    const topic = alertsTopic(this.#net.network.text);
    return this.#net.transport.publish(topic, encodeAlert(document));
  }

  judge(data: Uint8Array, from: PeerId): Verdict {
    const document = decodeAlert(data);
    const taken = document.ok ? this.#net.network.offer(document.value) : document;
    if (!taken.ok) {
      if (isLate(taken.error)) return { kind: 'ignore', reason: taken.error };
      penalise(this.#net, from, penalty.malformed, taken.error.code);
      return { kind: 'reject', reason: taken.error };
    }
    if (!taken.value) return { kind: 'ignore', reason: known };
    this.#taken();
    return { kind: 'accept' };
  }
}

/** Who passes on an older document, or one of two that the founder signed, did nothing wrong. */
function isLate({ code }: Fault): boolean {
  return code === 'network-document-old' || code === 'network-document-conflict';
}

const known = fault('announcement-stale', 'this network document is known');
