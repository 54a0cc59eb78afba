/** `hw export`: what is stored, written for others: as a static tree, or as an audit bundle. */
import { fault } from '../../errors.ts';
import { err } from '../../result.ts';
import type { Action } from './command.ts';

export const exportTo: Action = async (context, args, options) => {
  const [folder, file] = [options.text('static'), options.text('bundle')];
  if ((folder === undefined) === (file === undefined)) {
    const message = 'hw export needs one of --static DIR and --bundle FILE';
    return err(fault('usage', message, { pointer: '--static' }));
  }
  if (file !== undefined) {
    const { exportBundle } = await import('./export-bundle.ts');
    return exportBundle(context, args, options);
  }
  const misplaced = ['from', 'to', 'ancestors', 'disclose'].find(
    (name) => options.flag(name) || options.text(name) !== undefined,
  );
  if (misplaced !== undefined) {
    const pointer = `--${misplaced}`;
    return err(fault('usage', `${pointer} is for --bundle: a static tree is whole`, { pointer }));
  }
  const { exportStatic } = await import('./export-static.ts');
  return exportStatic(context, args, options);
};
