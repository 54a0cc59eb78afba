/**
 * Whether a peer gets anything of a log: the one place where blocks, keys and proofs leave through
 * `may` (access/may.ts). Who may not know of the log is answered as if there were none.
 */
import type { Permit, Serving } from '../access/may.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { PortLog } from './ledger-port.ts';
import { isShared, type Net } from './net.ts';
import type { Session } from './sessions.ts';

export const unknownLog: Fault = fault('log-unknown', 'this log is not served here');

export interface Admitted {
  readonly log: PortLog;
  /** Of a direct log: what it allows, and for how long. */
  readonly permit?: Permit | undefined;
}

/** Codes: `log-unknown`, those of `may` for a holder of a grant of this stream. */
export function admit(
  net: Net,
  session: Session,
  logId: LogId,
  grant: Uint8Array | undefined,
  as: Serving = 'blocks',
): Result<Admitted> {
  const log = net.ledger.log(logId);
  if (log === undefined) return err(unknownLog);
  // Of a log that was followed a moment ago nothing is known yet: there is nothing to give either.
  if (log.genesis === undefined || net.access === undefined) {
    return isShared(log) ? ok({ log }) : err(unknownLog);
  }
  const organisation = session.identity?.organisation;
  if (organisation === undefined) return err(unknownLog);
  const asker = { peer: session.peer, organisation };
  const decision = net.access.may(log.genesis, grant, asker, as);
  if (decision.kind === 'allow') return ok({ log, permit: decision.permit });
  net.counters.add('accessDenied');
  return err(decision.told ? decision.reason : unknownLog);
}

/** The grant field of a request to this peer: of a log that we follow by a grant, to its owner. */
export function grantFor(
  net: Net,
  session: Session,
  logId: LogId,
): Result<{ readonly grant?: Uint8Array }> {
  const owner = net.access?.ownerOf(logId);
  if (net.access === undefined || owner === undefined) return ok({});
  if (session.identity?.organisation !== owner) return err(unknownLog);
  const grant = net.access.show(logId, session.peer);
  return grant.ok ? ok({ grant: grant.value }) : grant;
}
