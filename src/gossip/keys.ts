/** Serving and fetching key chains (keys-codec.ts has the messages). */
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex } from '../types.ts';
import { decodeKeys, encodeKeys, type KeysPage } from './keys-codec.ts';
import { admit, grantFor, unknownLog } from './admission.ts';
import { usablePeers, type Net } from './net.ts';
import { askPeer, protocols, serve, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';

export async function serveKeys(net: Net): Promise<void> {
  await serve(net, {
    protocol: protocols.keys,
    limit: shortLimit(net),
    greeted: true,
    answer: async (exchange, session) => {
      const frame = await exchange.next();
      if (!frame.ok) return frame;
      const request = decodeKeys(frame.value);
      if (!request.ok) return request;
      if (request.value.kind !== 'ask') return err(fault('message-shape', 'not a request'));
      const { logId, from, grant } = request.value;
      const admitted = admit(net, session, logId, grant, 'proofs');
      if (!admitted.ok) return admitted;
      if (admitted.value.log.size === 0) return err(unknownLog);
      const options = { from, maxBytes: protocol.maxKeysPageBytes };
      const chain = await net.ledger.keyChain(logId, options);
      if (!chain.ok) return chain;
      const { size, checkpoint, entries, next } = chain.value;
      const page = { kind: 'page' as const, size, checkpoint, entries };
      return exchange.send(encodeKeys(next === undefined ? page : { ...page, next }));
    },
  });
}

/**
 * All pages of a log's key chain from one peer, as it states them: who uses them checks genesis,
 * paths and checkpoints. Faults: those of `askPeer`; `page-over-limit` where there is no end.
 */
export async function fetchKeys(
  net: Net,
  session: Session,
  logId: LogId,
  signal: AbortSignal = net.signal,
): Promise<Result<readonly KeysPage[]>> {
  const pages: KeysPage[] = [];
  let from: LogIndex | undefined = asLogIndex(0);
  while (from !== undefined) {
    const page = await fetchPage(net, session, logId, from, signal);
    if (!page.ok) return page;
    const last = page.value.entries.at(-1);
    const { next } = page.value;
    if (next !== undefined && (last === undefined || next <= last.index)) {
      return err(fault('message-shape', 'a page of keys that does not go on'));
    }
    pages.push(page.value);
    if (pages.length > net.limits.maxKeysPages) {
      return err(fault('page-over-limit', `more than ${net.limits.maxKeysPages} pages of keys`));
    }
    from = next;
  }
  return ok(pages);
}

/** The same of the first connected peer that has the log. */
export async function keysFromAny(
  net: Net,
  logId: LogId,
  signal: AbortSignal | undefined,
): Promise<Result<readonly KeysPage[]>> {
  let last: Fault = fault('log-unknown', 'no connected peer has this log');
  for (const session of usablePeers(net)) {
    const pages = await fetchKeys(net, session, logId, signal);
    if (pages.ok) return pages;
    last = pages.error;
  }
  return err(last);
}

async function fetchPage(
  net: Net,
  session: Session,
  logId: LogId,
  from: LogIndex,
  signal: AbortSignal,
): Promise<Result<KeysPage>> {
  const grant = grantFor(net, session, logId);
  if (!grant.ok) return grant;
  return askPeer(
    net,
    session,
    protocols.keys,
    shortLimit(net),
    async (exchange) => {
      const sent = await exchange.send(encodeKeys({ kind: 'ask', logId, from, ...grant.value }));
      if (!sent.ok) return sent;
      const frame = await exchange.next();
      if (!frame.ok) return frame;
      const message = decodeKeys(frame.value);
      if (!message.ok) return message;
      if (message.value.kind === 'page') return ok(message.value);
      return err(fault('message-shape', 'not a page of keys'));
    },
    signal,
  );
}
