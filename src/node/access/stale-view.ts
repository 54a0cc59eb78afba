/** A view of the own registry's revocations that is too old to serve by, as a finding of `hw doctor`. */
import type { Did } from '../../types.ts';
import type { Check } from '../node-api.ts';

export interface ViewParts {
  readonly organisation: Did;
  readonly ageMs: (owner: Did) => number | undefined;
  /** Whether logs are here that are served by grant, or keys of them. */
  readonly serves: boolean;
  readonly maxRevocationLagMs: number;
}

export function staleFindings(view: ViewParts): readonly Omit<Check, 'since'>[] {
  const ageMs = view.ageMs(view.organisation);
  if (!view.serves || (ageMs !== undefined && ageMs <= view.maxRevocationLagMs)) return [];
  const limit = `${Math.round(view.maxRevocationLagMs / 1000)} s`;
  const age =
    ageMs === undefined
      ? 'nothing was heard of our registry since the start'
      : `our registry was heard of ${Math.round(ageMs / 1000)} s ago, the limit is ${limit}`;
  return [
    {
      name: 'revocations',
      ok: false,
      level: 'warning',
      reason: `${age}: nothing is served by grant (revocations-stale)`,
      hint: 'Connect to the peer that writes the registry (hw peer list); it goes on by itself.',
    },
  ];
}
