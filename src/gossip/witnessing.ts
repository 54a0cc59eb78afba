/**
 * `/headwater/1/witness`, both roles (witness-codec.ts has the messages). A witness of the network is
 * found by its key: peers whose hello says that they are witnesses are asked which key they have.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash, PublicKey } from '../types.ts';
import type { WitnessReply } from './evidence-port.ts';
import type { Exchange } from './exchange.ts';
import { usablePeers, type Net } from './net.ts';
import { askPeer, protocols, serve, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';
import { TokenBucket } from './token-bucket.ts';
import { decodeWitness, encodeWitness, type WitnessMessage } from './witness-codec.ts';

const witnessRole = 'witness';
/** Checkpoints that we send to one peer a second: a part of what it lets us ask. */
const [perSecond, burst] = [20, 40];

export class Witnessing {
  readonly #net: Net;
  readonly #keys = new WeakMap<Session, Promise<Result<PublicKey>>>();
  readonly #pace = new WeakMap<Session, TokenBucket>();

  constructor(net: Net) {
    this.#net = net;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.witness,
      limit: shortLimit(this.#net),
      greeted: true,
      answer: (exchange) => this.#answer(exchange),
    });
  }

  /**
   * Hands an add-checkpoint request to the connected witness that has this key; its answer as it
   * came. Codes: witness-unreachable where no peer states the key, those of `askPeer`.
   */
  ask(
    key: PublicKey,
    body: Uint8Array,
    signal: AbortSignal = this.#net.signal,
  ): Promise<Result<WitnessReply>> {
    return this.#send(key, { kind: 'add', body }, signal);
  }

  /** Asks it for the checkpoint that it cosigned last, by the SHA-256 of the origin. Codes as `ask`. */
  last(
    key: PublicKey,
    origin: Hash,
    signal: AbortSignal = this.#net.signal,
  ): Promise<Result<WitnessReply>> {
    return this.#send(key, { kind: 'last', origin }, signal);
  }

  async #send(
    key: PublicKey,
    message: WitnessMessage,
    signal: AbortSignal,
  ): Promise<Result<WitnessReply>> {
    let last: Fault | undefined;
    for (const session of usablePeers(this.#net)) {
      if (session.identity?.roles.includes(witnessRole) !== true) continue;
      const stated = await this.#keyOf(session);
      if (!stated.ok || !equal(stated.value, key)) continue;
      const waitMs = this.#bucket(session).borrow(this.#net.host.clock.monotonic(), 1);
      if (waitMs > 0) await this.#net.host.timers.sleep(waitMs, signal);
      const answer = await this.#exchange(session, message, signal);
      if (answer.ok && answer.value.kind === 'answer') return ok(answer.value);
      last = answer.ok ? fault('message-shape', 'not the answer of a witness') : answer.error;
    }
    return err(last ?? fault('witness-unreachable', 'no connected peer is this witness'));
  }

  #bucket(session: Session): TokenBucket {
    const nowMs = this.#net.host.clock.monotonic();
    const bucket = this.#pace.get(session) ?? new TokenBucket(perSecond, burst, nowMs);
    this.#pace.set(session, bucket);
    return bucket;
  }

  /** Asked once a session; what was not answered is asked again. */
  #keyOf(session: Session): Promise<Result<PublicKey>> {
    const known = this.#keys.get(session);
    if (known !== undefined) return known;
    const asking = this.#askKey(session).then((key) => {
      if (!key.ok) this.#keys.delete(session);
      return key;
    });
    this.#keys.set(session, asking);
    return asking;
  }

  async #askKey(session: Session): Promise<Result<PublicKey>> {
    const answer = await this.#exchange(session, { kind: 'who' }, this.#net.signal);
    if (!answer.ok) return answer;
    if (answer.value.kind === 'key') return ok(answer.value.key);
    return err(fault('message-shape', 'not the key of a witness'));
  }

  #exchange(
    session: Session,
    message: WitnessMessage,
    signal: AbortSignal,
  ): Promise<Result<WitnessMessage>> {
    const limit = shortLimit(this.#net);
    const run = async (exchange: Exchange): Promise<Result<WitnessMessage>> => {
      const sent = await exchange.send(encodeWitness(message));
      if (!sent.ok) return sent;
      const frame = await exchange.next();
      return frame.ok ? decodeWitness(frame.value) : frame;
    };
    return askPeer(this.#net, session, protocols.witness, limit, run, signal);
  }

  async #answer(exchange: Exchange): Promise<Result<void>> {
    const frame = await exchange.next();
    if (!frame.ok) return frame;
    const message = decodeWitness(frame.value);
    if (!message.ok) return message;
    const witness = this.#net.evidence?.witness;
    if (witness === undefined) return err(fault('witness-origin', 'this peer is no witness'));
    switch (message.value.kind) {
      case 'who':
        return exchange.send(encodeWitness({ kind: 'key', key: witness.key }));
      case 'add': {
        const reply = await witness.addCheckpoint(message.value.body);
        return exchange.send(encodeWitness({ kind: 'answer', ...reply }));
      }
      case 'last': {
        const reply = await witness.last(message.value.origin);
        return exchange.send(encodeWitness({ kind: 'answer', ...reply }));
      }
      case 'answer':
      case 'key':
        return err(fault('message-shape', `${message.value.kind} from the side that asks`));
    }
  }
}
