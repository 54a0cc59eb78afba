/** What the routes share: the node, timers, the limits in force, and the word that it is closing. */
import type { Fault } from '../../errors.ts';
import type { Timers } from '../../host.ts';
import type { Limits } from '../config-schema.ts';
import type { NodeApi } from '../node-api.ts';

/** The limits that the HTTP layer heeds; those of the home's configuration have them all. */
export type HttpLimits = Pick<
  Limits,
  | 'maxEventTextBytes'
  | 'maxJsonBatchEvents'
  | 'maxJsonBatchBytes'
  | 'maxPublishEvents'
  | 'maxPublishBytes'
  | 'maxUnreadReceiptBytes'
  | 'maxReceiptWaitMs'
  | 'maxReaderStallMs'
  | 'readerHangUpMs'
  | 'keepAliveMs'
  | 'maxSocketMessageBytes'
  | 'maxApiBodyBytes'
  | 'maxApiRequestsPerSecond'
  | 'maxApiConnections'
  | 'apiDrainMs'
  | 'maxWitnessedPerSecond'
  | 'maxUnackedRuns'
  | 'apiHeadersTimeoutMs'
  | 'maxApiHeaderBytes'
  | 'maxStrangerRequestsPerSecond'
  | 'maxCallerAddresses'
  | 'ticketLifeMs'
  | 'maxTickets'
  | 'maxTicketsPerCaller'
>;

export interface HttpParts {
  readonly api: NodeApi;
  readonly timers: Timers;
  readonly limits: HttpLimits;
  /** Aborted when the server closes: streams end with `draining`. */
  readonly closing: AbortSignal;
  /** Told of each reader that was cut off, with what it had asked for. */
  readonly onCut: (problem: Fault, request: string) => void;
}
