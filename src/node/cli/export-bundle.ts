/** `hw export --bundle FILE STREAM|EVENT`: an audit bundle. */
import { fault } from '../../errors.ts';
import { err } from '../../result.ts';
import type { Action } from './command.ts';

export const exportBundle: Action = () =>
  Promise.resolve(err(fault('not-supported', '--bundle is being built')));
