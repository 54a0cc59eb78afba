/**
 * Whether an output has the shape of the one that a page shows. What differs from run to run (ids,
 * times, paths, addresses, durations, sizes, numbers) is put away on both sides; `…` in a shown line
 * stands for anything, a shown line of `…` alone for any number of lines. Blank lines and the width
 * of gaps do not count.
 */

const base58 = '[1-9A-HJ-NP-Za-km-z]';

/** First match wins at each place. Ids may be shown cut by `…`. */
const kinds: readonly (readonly [name: string, pattern: string])[] = [
  ['invite', 'hwnet:[\\w-]*…?'],
  ['did', `did:key:z${base58}*(?:…${base58}*)?`],
  ['address', '\\/(?:ip4|ip6|dns|dns4|dns6)\\/[^\\s",\\]]+'],
  ['url', 'https?:\\/\\/(?:127\\.0\\.0\\.1|localhost|\\[::1\\])(?::\\d+)?'],
  ['listener', '(?:127\\.0\\.0\\.1|0\\.0\\.0\\.0|localhost):\\d+'],
  ['peer', `12D3KooW${base58}*(?:…${base58}*)?`],
  ['log', 'bafkrei[a-z2-7]*(?:…[a-z2-7]*)?'],
  ['time', '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)'],
  ['path', '(?<![\\w.])(?:~|\\/(?:tmp|home|root|Users|var|private))(?:\\/[\\w.@+-]+)+'],
  ['hex', '(?<!\\w)(?:[0-9a-f]{16,}|[0-9a-f]{6,}…[0-9a-f]*)(?!\\w)'],
  ['base64', '(?<![\\w+/])[\\w+/-]{40,}={0,2}'],
  ['version', '(?<![\\w.])\\d+\\.\\d+\\.\\d+(?:-[\\w.]+)?(?![\\w.])'],
  ['duration', '(?<![\\w.])\\d[\\d,]*(?:\\.\\d+)? ?(?:ms|s|min|h|d)(?!\\w)'],
  ['size', '(?<![\\w.])\\d[\\d,]*(?:\\.\\d+)? ?(?:[kMGT]?B|[KMG]iB)(?!\\w)'],
  ['number', '(?<!\\w)-?\\d+(?:,\\d{3})*(?:\\.\\d+)?(?:e[+-]?\\d+)?(?!\\w)'],
];

/** Kinds that a reader would copy from an output into the next command. */
const copied = new Set([
  'invite',
  'did',
  'address',
  'url',
  'listener',
  'peer',
  'log',
  'hex',
  'base64',
]);

const anyKind = new RegExp(
  kinds.map(([name, pattern]) => `(?<${name}>${pattern})`).join('|'),
  'gu',
);

interface Token {
  readonly kind: string;
  readonly text: string;
}

interface Shape {
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** The line with placeholders such as `<number>` for what differs between runs. */
export function shapeOf(line: string): Shape {
  const tokens: Token[] = [];
  const text = line.replace(anyKind, (match, ...parts) => {
    const groups: unknown = parts.at(-1);
    const named = typeof groups === 'object' && groups !== null ? Object.entries(groups) : [];
    const kind = named.find(([, value]) => value !== undefined)?.[0] ?? '';
    tokens.push({ kind, text: match });
    return `<${kind}>`;
  });
  return { text: text.replaceAll(/\s+/g, ' ').trim(), tokens };
}

export interface Difference {
  /** The shown line that nothing printed fits; undefined where more was printed than shown. */
  readonly shown: string | undefined;
  /** What was printed in its place; undefined where the output ended. */
  readonly printed: string | undefined;
}

export interface Comparison {
  readonly difference?: Difference;
  /** Ids as shown → as printed in this run. */
  readonly renamed: ReadonlyMap<string, string>;
}

const elision = /^\s*(?:…|\.\.\.)\s*$/;

/** Compares shown with printed lines; both without blank ones. */
export function compareOutput(shown: readonly string[], printed: readonly string[]): Comparison {
  let furthest = { shown: 0, printed: 0 };
  const fit = (s: number, p: number): readonly (readonly [number, number])[] | undefined => {
    if (p > furthest.printed || (p === furthest.printed && s > furthest.shown)) {
      furthest = { shown: s, printed: p };
    }
    const line = shown[s];
    if (line === undefined) return p === printed.length ? [] : undefined;
    if (elision.test(line)) {
      for (let skip = p; skip <= printed.length; skip++) {
        const rest = fit(s + 1, skip);
        if (rest !== undefined) return rest;
      }
      return undefined;
    }
    const other = printed[p];
    if (other === undefined || !sameShape(line, other)) return undefined;
    const rest = fit(s + 1, p + 1);
    return rest === undefined ? undefined : [[s, p], ...rest];
  };
  const pairs = fit(0, 0);
  if (pairs === undefined) {
    const difference = { shown: shown[furthest.shown], printed: printed[furthest.printed] };
    return { difference, renamed: new Map() };
  }
  return { renamed: renamedIds(pairs.map(([s, p]) => [shown[s] ?? '', printed[p] ?? ''])) };
}

/** Lines that are not blank. */
export function linesOf(output: string): readonly string[] {
  return output.split(/\r?\n/).filter((line) => line.trim() !== '');
}

function sameShape(shown: string, printed: string): boolean {
  const wanted = shapeOf(shown).text;
  const found = shapeOf(printed).text;
  if (!wanted.includes('…')) return wanted === found;
  const parts = wanted.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'u').test(found);
}

function renamedIds(
  pairs: readonly (readonly [shown: string, printed: string])[],
): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  for (const [shown, printed] of pairs) {
    const tokens = shapeOf(printed).tokens;
    for (const [i, token] of shapeOf(shown).tokens.entries()) {
      const other = tokens[i];
      if (other === undefined || other.kind !== token.kind) break;
      if (copied.has(token.kind) && token.text !== other.text) renamed.set(token.text, other.text);
    }
  }
  return renamed;
}

/**
 * A command with the ids of this run: those that an earlier output showed otherwise, and for
 * `prefix…` the newest printed word that begins so. Undefined where nothing printed begins so.
 */
export function withIdsOfThisRun(
  command: string,
  renamed: ReadonlyMap<string, string>,
  printed: string,
): string | undefined {
  const longestFirst = [...renamed].sort(([a], [b]) => b.length - a.length);
  let text = command;
  for (const [shown, real] of longestFirst) text = text.replaceAll(shown, real);
  const words = printed.split(/[\s"',()<>[\]{}]+/).toReversed();
  let unknown = false;
  const whole = text.replaceAll(/([\w:/.+-]*)…/gu, (_match, prefix: string) => {
    const word = words.find((one) => prefix !== '' && one.startsWith(prefix) && !one.includes('…'));
    if (word === undefined) unknown = true;
    return word ?? '';
  });
  return unknown ? undefined : whole;
}
