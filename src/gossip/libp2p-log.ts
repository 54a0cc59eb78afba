/**
 * libp2p's own log lines. It formats one for nearly every frame, so all but errors go nowhere, and
 * errors are `debug`: what matters of them comes back as a fault anyway.
 */
import type { ComponentLogger, Logger } from '@libp2p/interface';
import type { TransportLog } from './libp2p-options.ts';

const nothing = (): void => undefined;

function logger(name: string, log: TransportLog | undefined): Logger {
  const error = (format: unknown, ...values: readonly unknown[]): void => {
    const cause = [format, ...values].find((value) => value instanceof Error);
    log?.debug({ component: name, ...(cause === undefined ? {} : { err: cause }) }, String(format));
  };
  return Object.assign(nothing.bind(undefined), {
    error: log === undefined ? nothing : error,
    trace: nothing,
    enabled: false,
    newScope: (scope: string) => logger(`${name}:${scope}`, log),
  });
}

export function componentLogger(log: TransportLog | undefined): ComponentLogger {
  const loggers = new Map<string, Logger>();
  return {
    forComponent: (name) => {
      const known = loggers.get(name);
      if (known !== undefined) return known;
      const made = logger(name, log);
      loggers.set(name, made);
      return made;
    },
  };
}
