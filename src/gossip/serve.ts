/**
 * The door of every protocol that we answer. In order: the hello is done, the peer is neither
 * barred nor paused, it does not ask too often or hold too many streams; then the handler runs
 * within its time limit. A fault of the handler goes back as a refusal; one that only a peer which
 * breaks the protocol can cause costs it.
 */
import { codes } from '../codes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, type Result } from '../result.ts';
import type { PeerId } from '../types.ts';
import { ask, Exchange, type TimeLimit } from './exchange.ts';
import { isMalformed, isRefusal } from './message.ts';
import { penalise, type Net } from './net.ts';
import { penalty } from './scores.ts';
import type { Session } from './sessions.ts';
import type { FrameStream } from './transport.ts';

export const protocols = {
  hello: '/headwater/1/hello',
  heads: '/headwater/1/heads',
  keys: '/headwater/1/keys',
  blocks: '/headwater/1/blocks',
  publish: '/headwater/1/publish',
  ack: '/headwater/1/ack',
  witness: '/headwater/1/witness',
  proof: '/headwater/1/proof',
  access: '/headwater/1/access',
} as const;

export type Answer = (exchange: Exchange, session: Session) => Promise<Result<void>>;

export interface Service {
  readonly protocol: string;
  readonly limit: TimeLimit;
  /** Only hello itself is open to peers that have not said it. */
  readonly greeted: boolean;
  readonly answer: Answer;
}

/** Registers a handler with the transport; what comes after the node has closed is dropped. */
export async function serve(net: Net, service: Service): Promise<void> {
  await net.transport.handle(service.protocol, (stream, from, signal) => {
    if (net.signal.aborted) {
      stream.abort();
      return Promise.resolve();
    }
    const answer = answerStream(net, service, stream, from, signal);
    net.track(answer);
    return answer;
  });
}

async function answerStream(
  net: Net,
  service: Service,
  stream: FrameStream,
  from: PeerId,
  signal: AbortSignal,
): Promise<void> {
  const { protocol } = service;
  const session = net.sessions.ensure(from, net.host.clock.monotonic());
  net.counters.request(protocol);
  using exchange = new Exchange(stream, {
    host: net.host,
    signals: [signal, net.signal],
    limit: service.limit,
    count: (direction, bytes) => net.counters.bytes(protocol, direction, bytes),
  });
  const objection = await objectionTo(net, service, session);
  if (objection !== undefined) {
    net.counters.add('requestsRefused');
    await exchange.refuse(objection);
    await exchange.close();
    return;
  }
  session.open.set(protocol, (session.open.get(protocol) ?? 0) + 1);
  try {
    await finish(net, exchange, from, await service.answer(exchange, session));
  } finally {
    session.open.set(protocol, (session.open.get(protocol) ?? 1) - 1);
  }
}

async function finish(
  net: Net,
  exchange: Exchange,
  from: PeerId,
  answered: Result<void>,
): Promise<void> {
  if (answered.ok) return exchange.close();
  if (isMalformed(answered.error)) penalise(net, from, penalty.malformed, answered.error.code);
  net.counters.add('requestsRefused');
  await exchange.refuse(answered.error);
  return exchange.close();
}

/** Why this request is not answered. */
async function objectionTo(
  net: Net,
  service: Service,
  session: Session,
): Promise<Fault | undefined> {
  const nowMs = net.host.clock.monotonic();
  if (!session.requests.take(nowMs)) return fault('rate-limited', 'too many requests a second');
  if ((session.open.get(service.protocol) ?? 0) >= net.limits.maxStreamsPerPeer) {
    return fault('rate-limited', 'too many streams of this protocol at once');
  }
  if (net.scores.barred(session.peer, nowMs)) {
    return fault('peer-barred', 'left out for what it sent before');
  }
  // A first request may overtake the end of the hello that allows it.
  if (service.greeted && !(await session.greeted())) {
    return fault('hello-missing', 'no hello was accepted on this connection');
  }
  const organisation = session.identity?.organisation;
  // A paused peer stays connected, so it may still say hello.
  if (!service.greeted) return net.control.banned(session.peer, organisation);
  return net.control.objection(session.peer, organisation);
}

/** Short requests end within `requestTimeoutMs`; long ones may go on while frames come. */
export function shortLimit(net: Net): TimeLimit {
  return { ms: net.limits.requestTimeoutMs, counts: 'total' };
}
export function longLimit(net: Net): TimeLimit {
  return { ms: net.limits.streamIdleMs, counts: 'idle' };
}

/**
 * One request of ours to a peer whose hello is done, with the books kept: bytes are counted, a peer
 * that breaks the protocol pays, one that does not answer rests for a while. Faults: those of `ask`,
 * and `hello-missing`, `peer-barred`, `peer-paused` without asking.
 */
export async function askPeer<T>(
  net: Net,
  session: Session,
  protocol: string,
  limit: TimeLimit,
  run: (exchange: Exchange) => Promise<Result<T>>,
  signal: AbortSignal = net.signal,
): Promise<Result<T>> {
  const { peer, identity } = session;
  if (identity === undefined) return err(fault('hello-missing', `${peer} has not said hello`));
  const objection = net.control.objection(peer, identity.organisation);
  if (objection !== undefined) return err(objection);
  net.counters.request(protocol);
  const count = (direction: 'in' | 'out', bytes: number): void =>
    net.counters.bytes(protocol, direction, bytes);
  const options = { host: net.host, signals: [signal, net.signal], limit, count };
  const answer = await ask(net.transport, peer, protocol, options, run);
  if (answer.ok || isMissing(answer.error)) session.answered();
  else if (isMalformed(answer.error)) penalise(net, peer, penalty.malformed, answer.error.code);
  else if (!signal.aborted) {
    session.failed(net.host.clock.monotonic());
    if (answer.error.code === 'peer-timeout') {
      penalise(net, peer, penalty.silence, answer.error.code);
    }
  }
  return answer;
}

/** The peer answered: it has not what we asked for, or we may not have it. */
function isMissing(reason: Fault): boolean {
  if (!isRefusal(reason)) return false;
  return codes[reason.code][0] === 'missing' || isDenial(reason);
}

/** A grant was judged, and not for want of a hello or for what the peer thinks of us. */
export function isDenial({ code }: Fault): boolean {
  const told = code === 'fields-unsupported' || code === 'revocations-stale';
  return told || code.startsWith('ucan-') || code.startsWith('grant-');
}
