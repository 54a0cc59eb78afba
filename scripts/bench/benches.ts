/** All benches in the order in which they run, and which of them a choice of figures needs. */
import { access } from './access.ts';
import { across } from './across.ts';
import { apply } from './apply.ts';
import { audit, scrubImpact } from './audit.ts';
import type { Bench } from './bench.ts';
import { bundles } from './bundles.ts';
import { publishDeduped } from './dedupe.ts';
import { deliver } from './deliver.ts';
import { figureSpecs, type FigureName } from './figures.ts';
import { forkProof } from './forks.ts';
import { memory } from './memory.ts';
import { large, million } from './million.ts';
import { publish, publishSingle } from './publish.ts';
import { rawCpu, rawLevelMillion, rawResident, rawTcp } from './raw.ts';
import { sealed } from './sealed.ts';
import { revocation } from './revocation.ts';
import { trace } from './trace.ts';
import { witness } from './witness.ts';

export const benches: readonly Bench[] = [
  rawCpu,
  rawTcp,
  rawResident,
  publish,
  publishSingle,
  publishDeduped,
  apply,
  rawLevelMillion,
  million,
  audit,
  scrubImpact,
  large,
  across,
  forkProof,
  access,
  revocation,
  sealed,
  deliver,
  trace,
  bundles,
  witness,
  memory,
];

/** The benches that give the named figures and what these are put in proportion to; all without names. */
export function choose(
  all: readonly Bench[],
  only: readonly FigureName[] | undefined,
): { readonly chosen: readonly Bench[]; readonly wanted: readonly FigureName[] } {
  if (only === undefined) return { chosen: all, wanted: all.flatMap((bench) => bench.names) };
  const needed = new Set<string>(only);
  for (const name of only) {
    const { ratioTo } = figureSpecs[name];
    if (ratioTo !== undefined) needed.add(ratioTo);
  }
  const chosen = all.filter((bench) => bench.names.some((name) => needed.has(name)));
  return { chosen, wanted: only };
}
