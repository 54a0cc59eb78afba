/**
 * What the holder of a grant may give of it (access.md "Delegation"): a part of its range, its life and
 * its depth, for the same purpose, and fields that it has. Whoever judges the chain would refuse more,
 * since every link's policies count; here it is refused before anything is signed, with the reason.
 */
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { formatTime } from '../time.ts';
import { asTimeMs, type TimeMs } from '../types.ts';
import type { Fields, GrantScope } from './grant.ts';

/** The part that is wanted; what is absent stays as it is in the grant. */
export interface Part {
  readonly from?: TimeMs;
  readonly to?: TimeMs;
  readonly expires?: TimeMs;
  readonly purpose?: string;
  readonly fields?: Fields;
  /** How often its holder may hand it on. */
  readonly handOns: number;
}

/** How often the next holder can hand on at most; below 0 nobody can be given anything. */
export function handOnsLeft({ handOns }: Pick<GrantScope, 'handOns'>, links: number): number {
  return Math.min(handOns ?? protocol.maxProofLinks, protocol.maxProofLinks - links) - 1;
}

/** Why a part is more than the grant of so many links; undefined where it is not. Code: `grant-wider`. */
export function widening(scope: GrantScope, links: number, part: Part): Fault | undefined {
  const left = handOnsLeft(scope, links);
  if (left < 0) return wider('this grant may not be handed on any further');
  if (part.handOns > left) {
    const more = left === 0 ? 'may not be handed on after that' : `may be handed on ${left} more`;
    return wider(`--depth ${part.handOns}, and this grant ${more}`);
  }
  if (part.from !== undefined && part.from < scope.from) {
    return wider(`from ${time(part.from)}, and this grant begins at ${time(scope.from)}`);
  }
  if (scope.to !== undefined && part.to !== undefined && part.to > scope.to) {
    return wider(`until ${time(part.to)}, and this grant covers until ${time(scope.to)}`);
  }
  const end = scope.expires;
  if (end !== undefined && part.expires !== undefined && part.expires > end * 1000) {
    return wider(
      `it would expire ${time(part.expires)}, and this grant expires ${time(end * 1000)}`,
    );
  }
  const { purpose } = scope;
  if (purpose !== undefined && part.purpose !== undefined && part.purpose !== purpose) {
    return wider(`this grant is for ${JSON.stringify(purpose)} and no other purpose`);
  }
  if (scope.fields === 'attributes' && part.fields === 'data') {
    return wider('this grant is for attributes alone');
  }
  return undefined;
}

function wider(message: string): Fault {
  return fault('grant-wider', message);
}

function time(ms: number): string {
  return formatTime(asTimeMs(ms));
}
