/** Plain-text tables for people: columns padded, nothing cut, no lines drawn. */

/** Lines of a table; `rows` may be shorter than `header`. Empty rows give only the header. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => width(row[column]))));
  return all.map((row) =>
    widths
      .map((wanted, column) => {
        const cell = row[column] ?? '';
        return cell + ' '.repeat(wanted - width(cell));
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Characters of a cell; our cells hold none that is wider than one column. */
function width(cell = ''): number {
  return Array.from(cell).length;
}

/** `1.2 MB`; decimal units. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `12,345`. */
export function countText(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `1 event`, `2,000 events`. */
export function counted(count: number, word: string): string {
  return `${countText(count)} ${word}${count === 1 ? '' : 's'}`;
}

/** `3 s`, `5 min`, `2 h`, `4 d`: one unit is enough for a glance. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** First and last characters of a long id, for columns. */
export function shortId(id: string): string {
  return id.length <= 20 ? id : `${id.slice(0, 12)}…${id.slice(-6)}`;
}
