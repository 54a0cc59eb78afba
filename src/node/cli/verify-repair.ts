/**
 * `hw verify --repair` over the store of a stopped node: table files that LevelDB cannot read are
 * put together again from what can be read of them, then every log is mended as far as its own
 * sound blocks go. What is left needs peers: `hw up` and `hw verify --repair`.
 */
import { LevelStore } from '../../ledger/store.ts';
import { ok, type Result } from '../../result.ts';
import type { VerifyView } from '../evidence-api.ts';
import type { JsonView } from '../json-view.ts';
import { repairLogs } from '../repair-logs.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { withStoppedHome } from './stopped.ts';
import { countText } from './table.ts';

/** Repairs that are listed one by one; the rest is counted. */
const maxLines = 20;

/** The verdict after the repair. Codes: those of the store and of `verifyOffline`. */
export async function repairStopped(
  context: Context,
  stream: string,
  options: Options,
): Promise<Result<VerifyView>> {
  const { checkTables } = await import('../table-check.ts');
  const damage = await checkTables(context.paths.store);
  if (!damage.ok) return damage;
  const salvage = (): Promise<Result<void>> =>
    damage.value.length === 0
      ? Promise.resolve(ok(undefined))
      : LevelStore.salvage(context.paths.store);
  return withStoppedHome(
    context,
    options,
    async (home, ledger, sealed) => {
      const { verifyOffline } = await import('../offline-verify.ts');
      const { clock } = context.runtime;
      const { signal } = context;
      // The stream's name may stand in another log that is damaged: so all of them.
      const logs = ledger.logs().map(({ logId }) => logId);
      const repairs = await repairLogs(ledger, logs, undefined, signal);
      if (!repairs.ok) return repairs;
      const view = await verifyOffline(home, ledger, stream, clock, { signal }, sealed);
      return view.ok ? ok({ ...view.value, repairs: repairs.value }) : view;
    },
    salvage,
  );
}

/** What was damaged, and what became of it. */
export function repairLines(repairs: readonly JsonView[]): readonly string[] {
  const mended = repairs.filter((one) => one.text('from') !== undefined).length;
  const lines = repairs.slice(0, maxLines).map((one) => {
    const place = `${one.text('log') ?? ''}/${one.number('index') ?? 0}`;
    const what = `${one.text('what') ?? ''} at hw:${place} (${one.text('code') ?? ''})`;
    const from = one.text('from');
    if (from !== undefined) return `  repaired ${what} from ${from}`;
    const reason = one.at('reason');
    return `  NOT repaired ${what}: ${reason.text('message') ?? ''} (${reason.text('code') ?? ''})`;
  });
  const more = repairs.length - lines.length;
  return [
    `  ${countText(repairs.length)} damaged places, ${countText(mended)} repaired`,
    ...lines,
    ...(more > 0 ? [`  and ${countText(more)} more`] : []),
  ];
}
