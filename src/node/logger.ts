/**
 * The node's log: JSON lines on standard error, readable ones on a terminal. Nothing secret is ever
 * handed to it: keys, tokens, passphrases and event data have no place in a log line.
 */
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Runtime } from './runtime.ts';

export type NodeLog = Logger;

export function createLogger(runtime: Runtime): NodeLog {
  const level = runtime.environment['HW_LOG_LEVEL'] ?? 'info';
  const known = Object.hasOwn(pino.levels.values, level) ? level : 'info';
  const destination = {
    write: (line: string): void => {
      void runtime.stderr.write(line);
    },
  };
  const options = { level: known, base: null };
  if (!runtime.stderr.terminal) return pino(options, destination);
  return pino(
    options,
    pretty({ colorize: true, ignore: 'pid,hostname', sync: true, destination: 2 }),
  );
}
