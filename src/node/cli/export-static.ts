/** `hw export --static DIR STREAM`: a static tree that any web server or disk can carry. */
import { fault } from '../../errors.ts';
import { err } from '../../result.ts';
import type { Action } from './command.ts';

export const exportStatic: Action = () =>
  Promise.resolve(err(fault('not-supported', '--static is being built')));
