/** The auditor's answers, computed from what its own replica gives, against the known ones. */
import { isDeepStrictEqual } from 'node:util';
import { countByNet, featureLines, hourlyMaxMag, knownAnswer } from '../earthquakes.ts';

export interface Answers {
  readonly ok: boolean;
  readonly detail: string;
}

/**
 * `replayed` are CloudEvents as JSON, one a line, of all streams. Their data must be the features of
 * the file byte for byte, none missing and none twice, and give the reference answers.
 */
export function checkAnswers(replayed: readonly string[]): Answers {
  const data = replayed.map(dataOf);
  const problems = [
    ...compare('eq.count_by_net', countByNet(data)),
    ...compare('eq.hourly_max_mag', hourlyMaxMag(data)),
  ];
  const wanted = featureLines().toSorted();
  if (!isDeepStrictEqual(data.toSorted(), wanted)) {
    problems.push(`${data.length} events are not the ${wanted.length} features byte for byte`);
  }
  const hours = Object.keys(hourlyMaxMag(data)).length;
  return {
    ok: problems.length === 0,
    detail: problems.join('; ') || `${data.length} events, ${hours} hours, as the reference`,
  };
}

function compare(id: string, found: unknown): readonly string[] {
  return isDeepStrictEqual(found, knownAnswer(id)) ? [] : [`${id} differs from the reference`];
}

/** The text of the `data` member, which a node renders last and does not touch. */
function dataOf(line: string): string {
  const mark = ',"data":';
  const at = line.indexOf(mark);
  if (at < 0 || !line.endsWith('}')) throw new Error(`no data in ${line.slice(0, 100)}`);
  return line.slice(at + mark.length, -1);
}
