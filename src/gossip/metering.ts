/** What leaves this peer for another is told to the book of deliveries, where the node keeps one. */
import type { Permit } from '../access/may.ts';
import type { LogId } from '../types.ts';
import type { Net } from './net.ts';
import type { Session } from './sessions.ts';
import type { DeliveryWay, Meter } from './usage-port.ts';

/** Undefined where what this peer reads of the log is not counted. */
export function meterOf(
  net: Net,
  session: Session,
  logId: LogId,
  permit: Permit | undefined,
  way: DeliveryWay = 'blocks',
): Meter | undefined {
  const organisation = session.identity?.organisation;
  if (net.usage === undefined || organisation === undefined) return undefined;
  const genesis = net.ledger.log(logId)?.genesis;
  const { peer } = session;
  return net.usage.meter({ logId, genesis, organisation, peer, cids: permit?.cids ?? [], way });
}
