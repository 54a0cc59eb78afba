/** A progress bar on stderr, where stderr is a terminal; nothing elsewhere. */
import type { Output } from '../runtime.ts';

export interface Progress extends Disposable {
  /** `note` is shown behind the bar. */
  update(done: number, note: string): void;
}

/** `total` 0: the end is not known, so only the note is shown. */
export async function startProgress(
  output: Output,
  label: string,
  total: number,
): Promise<Progress> {
  if (!output.terminal) return { update: () => undefined, [Symbol.dispose]: () => undefined };
  const { default: progress } = await import('cli-progress');
  const format = total > 0 ? `${label} [{bar}] {percentage}%  {note}` : `${label}  {note}`;
  const bar = new progress.SingleBar(
    { format, hideCursor: true, clearOnComplete: true, barsize: 30, gracefulExit: false },
    progress.Presets.shades_classic,
  );
  bar.start(Math.max(1, total), 0, { note: '' });
  return {
    update: (done, note) => bar.update(done, { note }),
    [Symbol.dispose]: () => bar.stop(),
  };
}
