/**
 * RFC 3339 times, read and written here and nowhere else (the only file outside the runtime that
 * may touch `Date`, and only as a pure calendar).
 */
import { fault } from './errors.ts';
import { err, ok, type Result } from './result.ts';
import { asTimeMs, type TimeMs } from './types.ts';

const pattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * Milliseconds since 1970 (may be negative) of an RFC 3339 date-time, cut below the millisecond;
 * undefined if the text is not one. Leap seconds (`:60`) count as the next second.
 *
 * The places of all fields but the fraction are fixed, so they are read as digits: a third of the
 * cost of capturing them, and this runs once or twice for every event.
 */
export function rfc3339ToMs(text: string): number | undefined {
  if (!pattern.test(text)) return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)];
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = zoneMinutes(text);
  if (offset === undefined) return undefined;
  const minutes = hour * 60 + minute - offset;
  if (second === 60 && (minutes + 2880) % 1440 !== 1439) return undefined;
  const seconds = (daysSinceEpoch(year, month, day) * 1440 + minutes) * 60 + second;
  return seconds * 1000 + fractionMs(text);
}

/**
 * Days from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
 * the leap day is the last of its year; 400 years are 146,097 days.
 */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}

function twoDigits(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

/** The first three digits behind the point, if there is one. */
function fractionMs(text: string): number {
  if (text.charCodeAt(19) !== 0x2e) return 0;
  let ms = 0;
  let inside = true;
  for (let i = 20; i < 23; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    inside = inside && digit >= 0 && digit <= 9;
    ms = ms * 10 + (inside ? digit : 0);
  }
  return ms;
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

/** Minutes east of UTC, from the end of a text that matches the pattern. */
function zoneMinutes(text: string): number | undefined {
  const last = text.charCodeAt(text.length - 1);
  if (last === 0x5a || last === 0x7a) return 0;
  const at = text.length - 6;
  const [hours, minutes] = [twoDigits(text, at + 1), twoDigits(text, at + 4)];
  if (hours > 23 || minutes > 59) return undefined;
  return (text.charCodeAt(at) === 0x2d ? -1 : 1) * (hours * 60 + minutes);
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2
    ? leap
      ? 29
      : 28
    : month === 4 || month === 6 || month === 9 || month === 11
      ? 30
      : 31;
}
