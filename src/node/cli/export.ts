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
  const { exportStatic } = await import('./export-static.ts');
  return exportStatic(context, args, options);
};
