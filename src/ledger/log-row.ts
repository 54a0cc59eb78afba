/**
 * What a home remembers of a log beside its blocks: dag-cbor
 *
 *   [1, number, role, standing, reason code or null, reason text, clock ahead]
 *
 * `number` stands for the log in all other keys. Role 0: we made it and hold (or held) its key;
 * role 1: we follow it; role 2: unfollowed, the blocks are kept.
 */
import { CborReader, CborWriter } from '../cbor.ts';
import { codes } from '../codes.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogStanding } from './ledger-types.ts';

export type LogRole = 'writer' | 'replica' | 'unfollowed';

export interface LogRow {
  readonly number: number;
  readonly role: LogRole;
  /** As stored: `frozen` and `closed` last; `waiting` and `damaged` are found anew at each start. */
  readonly standing: LogStanding;
  readonly reason: Fault | undefined;
  readonly clockAhead: boolean;
}

const roles: readonly LogRole[] = ['writer', 'replica', 'unfollowed'];
const standings: readonly LogStanding[] = ['open', 'waiting', 'frozen', 'damaged', 'closed'];

export function encodeLogRow(row: LogRow): Uint8Array {
  const writer = new CborWriter(128);
  writer.list(7).uint(1).uint(row.number);
  writer.uint(roles.indexOf(row.role)).uint(standings.indexOf(row.standing));
  if (row.reason === undefined) writer.null().text('');
  else writer.text(row.reason.code).text(row.reason.message);
  return writer.uint(row.clockAhead ? 1 : 0).finish();
}

/** Code: store-corrupt. */
export function decodeLogRow(bytes: Uint8Array): Result<LogRow> {
  const damaged = err(fault('store-corrupt', 'the stored row of a log is damaged'));
  const reader = new CborReader(bytes);
  if (reader.list() !== 7 || reader.uint() !== 1) return damaged;
  const number = reader.uint();
  const role = roles[reader.uint()];
  const standing = standings[reader.uint()];
  const code = reader.null() ? undefined : reader.text();
  const message = reader.text();
  const clockAhead = reader.uint() === 1;
  reader.end();
  if (reader.failed !== undefined || role === undefined || standing === undefined) return damaged;
  const reason = code !== undefined && isCode(code) ? fault(code, message) : undefined;
  return ok({ number, role, standing, reason, clockAhead });
}

function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}
