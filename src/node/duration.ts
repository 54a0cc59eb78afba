/** Durations as people write them. */
/** Milliseconds of each unit. */
export const durationUnits: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `15m`, `12h`, `30d`, `8w` in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const [, digits, letter = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const value = Number(digits) * (durationUnits[letter] ?? Number.NaN);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
