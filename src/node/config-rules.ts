/** What keys of config.yaml say together; `config.ts` judges each by itself. */
import { fault, type Place } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Config } from './config-schema.ts';

/**
 * Code: `tls-needed` (an API that others can reach, in plain text). Half of an `http.tls` counts as
 * none: keys are set one after the other, and whoever starts a node is told (`tls.ts`). `placeOf`
 * gives where a key stands.
 */
export function checkTogether(config: Config, placeOf: (path: string) => Place): Result<void> {
  const { listen, tls } = config.http;
  const hasTls = tls?.cert !== undefined && tls.key !== undefined;
  if (!hasTls && !isLoopbackHost(listen)) {
    const message = `http.listen ${listen} is not on loopback, and there is no http.tls`;
    return err(fault('tls-needed', message, placeOf('http.listen')));
  }
  return ok(undefined);
}

/** Of `host:port`: can nobody else reach it? `localhost` is this machine by RFC 6761. */
function isLoopbackHost(address: string): boolean {
  const host = address
    .slice(0, address.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
