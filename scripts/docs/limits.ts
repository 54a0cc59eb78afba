/** docs/reference/limits.md from src/limits.ts and the files of its parts. */
import { limits as local, protocol } from '../../src/limits.ts';
import { variableName } from '../../src/node/config.ts';
import { code, declaredMembers, prose, readSource, table, type Page } from './markdown.ts';

const sources = {
  protocol: 'src/limits-protocol.ts',
  nodeLimits: 'src/limits.ts',
  accessLimits: 'src/limits-access.ts',
} as const;
const minute = 60_000;
const day = 86_400_000;

/** The unit that stands at the end of a name: `maxBlockBytes`, `drainMs`, `requestsPerSecond`. */
export function unitOf(name: string): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(' ');
  const per = words.indexOf('per');
  const counted = (per === -1 ? words.at(-1) : words[per - 1]) ?? '';
  const unit = counted === 'ms' || /[^s]s$/.test(counted) ? counted : '';
  return per === -1 ? unit : `${unit} per ${words.slice(per + 1).join(' ')}`.trim();
}

/** A large number of bytes or milliseconds again, in the unit that a reader thinks in. */
export function readable(value: number, unit: string): string {
  if (unit === 'ms' && value >= 1000) {
    const [size, name] =
      value % day === 0 ? [day, 'd'] : value % minute === 0 ? [minute, 'min'] : [1000, 's'];
    return ` (${value / size} ${name})`;
  }
  if (!unit.startsWith('bytes') || value < 1024 || value % 1024 !== 0) return '';
  return value % 1_048_576 === 0 ? ` (${value / 1_048_576} MiB)` : ` (${value / 1024} KiB)`;
}

function rows(
  name: keyof typeof sources,
  values: Readonly<Record<string, number>>,
): readonly (readonly string[])[] {
  const source = sources[name];
  return declaredMembers(readSource(source), name).map((member) => {
    const value = values[member.name];
    if (value === undefined) throw new Error(`${source}: ${member.name} was read but is no limit`);
    const unit = unitOf(member.name);
    return [
      code(member.name),
      `${value.toLocaleString('en')}${readable(value, unit)}`,
      unit,
      prose(member.comment),
    ];
  });
}

export const limits: Page = {
  name: 'limits',
  title: 'Limits',
  sources: Object.values(sources),
  make: () =>
    [
      'Everything that could grow has a bound, and what happens at the bound stands beside it. Where',
      'one remark is said of several names, it covers them in their order.',
      '',
      '## Part of the protocol',
      '',
      'The same for every peer: they cannot be set.',
      '',
      ...table(['name', 'value', 'unit', 'what it bounds'], rows('protocol', protocol)),
      '',
      '## Of this node',
      '',
      `Set in config.yaml as ${code('limits.<name>')}, or in the environment: ${code('limits.maxPendingEvents')}`,
      `is ${code(variableName('limits.maxPendingEvents'))}. Each is a whole number of at least 1.`,
      '',
      ...table(
        ['name', 'default', 'unit', 'what it bounds'],
        [...rows('nodeLimits', local), ...rows('accessLimits', local)],
      ),
    ].join('\n'),
};
