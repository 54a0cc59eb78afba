/** What LevelDB and the system say when something fails, as our codes. */
import { fault, type Fault } from '../errors.ts';

/** A stored value that cannot be ours. */
export class Damaged extends Error {}

export function closed(): Fault {
  return fault('store-closed', 'the store is closed');
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : '';
}

/** LevelDB gives the system's reason only in the text of the error or of its cause. */
export function faultOf(cause: unknown): Fault {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const text = inner instanceof Error ? inner.message : String(inner);
  const names = [codeOf(cause), codeOf(inner)];
  if (
    inner instanceof Damaged ||
    names.includes('LEVEL_CORRUPTION') ||
    text.startsWith('Corruption')
  ) {
    return fault('store-corrupt', text);
  }
  if (names.includes('LEVEL_LOCKED')) return fault('store-locked', 'the store is in use');
  if (names.includes('ENOSPC') || /no space left|disk quota/i.test(text)) {
    return fault('disk-full', 'no space is left on the disk of the store');
  }
  if (
    names.some((name) => name === 'LEVEL_DATABASE_NOT_OPEN' || name === 'LEVEL_ITERATOR_NOT_OPEN')
  ) {
    return fault('store-closed', text);
  }
  return fault('store-failed', text);
}
