/**
 * What browsers do on behalf of pages that others wrote. CORS is closed: no answer allows another
 * origin to read it. A WebSocket is not held back by CORS, and a ticket travels in the address, so
 * for these the page must come from the address that is asked.
 */
import type { FastifyRequest } from 'fastify';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';

/** Code: `origin-refused`. A request without `Origin` comes from no page of another site. */
export function sameOrigin(request: FastifyRequest, encrypted: boolean): Result<void> {
  const { origin, host } = request.headers;
  if (origin === undefined) return ok(undefined);
  if (host !== undefined && URL.canParse(origin)) {
    const page = new URL(origin);
    const scheme = encrypted ? 'https:' : 'http:';
    const same = page.protocol === scheme && page.host === host.toLowerCase();
    if (same && (encrypted || isOwnName(page.hostname))) return ok(undefined);
  }
  return err(fault('origin-refused', 'the page that asks comes from another site'));
}

/**
 * Without a certificate any name may be made to point at this machine (DNS rebinding): then page and
 * node have the same name, and only an address, or the name that no one else can have, is ours.
 */
function isOwnName(name: string): boolean {
  return name === 'localhost' || /^[\d.]+$/.test(name) || name.startsWith('[');
}
