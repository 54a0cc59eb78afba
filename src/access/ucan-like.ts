/** `like` of UCAN policies: `*` any run of characters, `\*` a star, nothing else special. */

/**
 * Whether the whole text matches. Time grows with text times pattern, never more: no pattern that a
 * stranger writes can hold us up.
 */
export function like(text: string, pattern: string): boolean {
  const [first = '', ...rest] = runsOf(pattern);
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const run of rest) {
    const found = text.indexOf(run, at);
    if (found < 0) return false;
    at = found + run.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** The literal runs between the stars; a pattern of n stars has n + 1. */
function runsOf(pattern: string): string[] {
  const runs: string[] = [];
  let run = '';
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '*') {
      runs.push(run);
      run = '';
    } else {
      if (pattern[i] === '\\' && pattern[i + 1] === '*') i++;
      run += pattern[i];
    }
  }
  return [...runs, run];
}
