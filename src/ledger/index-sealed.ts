/**
 * Blocks of an own sealed log that it had lost come back without their index rows: who passes them on
 * cannot read them. Here they are made, before anything is published: else what was published before
 * would not be known again.
 */
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { LogWalk } from './log-walk.ts';

/**
 * From block `number` to the head. What cannot be done now (a failing store, keys that are not here) is
 * left to the scrub.
 */
export async function indexSealed(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<void> {
  if (handle.stored?.state.genesis.visibility !== 'sealed') return;
  const walk = new LogWalk(env, handle, number);
  while (!walk.done) {
    const step = await walk.step();
    if (!step.ok) return;
    const damage = step.value.damage;
    if (damage.some(({ kind }) => kind === 'block')) {
      walk.skip();
      continue;
    }
    const writes = damage.flatMap(({ kind, writes: rows }) =>
      kind === 'rows' ? (rows ?? []) : [],
    );
    if (writes.length === 0) continue;
    const written = await env.options.store.batch(writes, { sync: true });
    if (!written.ok) return;
  }
}
