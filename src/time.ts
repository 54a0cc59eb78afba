/**
 * RFC 3339 times, read and written here and nowhere else (the only file outside the runtime that
 * may touch `Date`, and only as a pure calendar).
 */
import { fault } from './errors.ts';
import { err, ok, type Result } from './result.ts';
import { asTimeMs, type TimeMs } from './types.ts';

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Milliseconds since 1970 (may be negative) of an RFC 3339 date-time, cut below the millisecond;
 * undefined if the text is not one. Leap seconds (`:60`) count as the next second.
 */
export function rfc3339ToMs(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const part = (group: number): number => Number(match[group]);
  const [year, month, day, hour, minute, second] = [
    part(1),
    part(2),
    part(3),
    part(4),
    part(5),
    part(6),
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const zone = match[8] ?? 'Z';
  const offset = zoneMinutes(zone);
  if (offset === undefined) return undefined;
  const utcMinute = (((hour * 60 + minute - offset) % 1440) + 1440) % 1440;
  if (second === 60 && utcMinute !== 1439) return undefined;
  const millis = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute - offset, second, millis);
  return date.getTime();
}

/** As `rfc3339ToMs`, as a time of ours: from 1970 on, else `bad-time`. */
export function parseTime(text: string): Result<TimeMs> {
  const ms = rfc3339ToMs(text);
  if (ms === undefined || ms < 0)
    return err(fault('bad-time', `${JSON.stringify(text)} is not a time`));
  return ok(asTimeMs(ms));
}

/** `2026-01-31T12:00:00.000Z`. */
export function formatTime(time: TimeMs): string {
  return new Date(time).toISOString();
}

function zoneMinutes(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}
