/**
 * Reading config.yaml again while the node runs (SIGHUP; operations.md "Configuration"): aliases,
 * streams that are followed now, and the certificate are taken at once. For the rest the difference
 * is told, and the next start takes it.
 */
import type { Fault } from '../errors.ts';
import { ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';
import type { Config } from './config-schema.ts';
import type { Journal } from './core/journal.ts';
import type { NodeLog } from './logger.ts';

export interface Reloaded {
  /** Keys whose new value is in force. */
  readonly taken: readonly string[];
  /** Keys that have another value in the file than in force. */
  readonly later: readonly string[];
}

export interface ReloadParts {
  readonly registries: { setAliases(aliases: ReadonlyMap<string, Did>): void };
  readonly follows: { reconfigure(configured: readonly string[]): Promise<void> };
  /** True where the certificate is another one now. */
  readonly listeners: { reload(http: Config): Promise<Result<boolean>> };
  readonly told: (done: Result<Reloaded>) => void;
}

export class Reload {
  #inForce: Config;
  readonly #parts: ReloadParts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(config: Config, parts: ReloadParts) {
    this.#inForce = config;
    this.#parts = parts;
  }

  /**
   * Takes what can be taken of a valid configuration. Codes: those of `loadTls`; then nothing has
   * been changed. One after the other.
   */
  run(config: Result<Config>): Promise<Result<Reloaded>> {
    const done = this.#last.then(async () => (config.ok ? this.#take(config.value) : config));
    this.#last = done.then(this.#parts.told, () => undefined);
    return done;
  }

  async #take(config: Config): Promise<Result<Reloaded>> {
    const { registries, follows, listeners } = this.#parts;
    const certificate = await listeners.reload(config);
    if (!certificate.ok) return certificate;
    const taken = certificate.value ? ['http.tls'] : [];
    const before = this.#inForce;
    let { aliases, follow } = before;
    if (differ(aliases, config.aliases)) {
      ({ aliases } = config);
      registries.setAliases(new Map(Object.entries(aliases)));
      taken.push('aliases');
    }
    const gone = follow.filter((target) => !config.follow.includes(target));
    if (config.follow.some((target) => !follow.includes(target)) || taken.includes('aliases')) {
      follow = [...config.follow, ...gone];
      await follows.reconfigure(follow);
      if (differ(follow, before.follow)) taken.push('follow');
    }
    const { tls } = config.http;
    // Read anew in any case, so other names of the files are taken too.
    const http = before.http.tls && tls ? { ...before.http, tls } : before.http;
    this.#inForce = { ...before, http, aliases, follow };
    return ok({ taken, later: differences(this.#inForce, config) });
  }
}

/** Dotted paths that differ, of one level below the sections. */
function differences(before: Config, after: Config): readonly string[] {
  const [old, now] = [flat(before), flat(after)];
  const paths = new Set([...old.keys(), ...now.keys()]);
  return [...paths].filter((path) => old.get(path) !== now.get(path)).toSorted();
}

const sections = new Set(['http', 'p2p', 'witness', 'scrub', 'limits']);

function flat(config: Config): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(config)) {
    if (!sections.has(name)) {
      found.set(name, JSON.stringify(value));
      continue;
    }
    const section: unknown = value;
    for (const [key, one] of Object.entries(section ?? {})) {
      found.set(`${name}.${key}`, JSON.stringify(one));
    }
  }
  return found;
}

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}

/** One line for the log of the node. */
function reloadText(done: Result<Reloaded>): string {
  if (!done.ok) return `not taken: ${faultText(done.error)}`;
  const { taken, later } = done.value;
  const now = taken.length === 0 ? 'nothing to take' : `taken: ${taken.join(', ')}`;
  return later.length === 0 ? now : `${now}; at the next start: ${later.join(', ')}`;
}

function faultText({ code, message }: Fault): string {
  return `${message} [${code}]`;
}

/** Tells the log and the journal what became of a configuration that was read anew. */
export function reloadTold(log: NodeLog, journal: Pick<Journal, 'did'>): ReloadParts['told'] {
  return (done) => {
    const result = reloadText(done);
    log[done.ok ? 'info' : 'error'](`config.yaml was read again: ${result}`);
    journal.did('config.reload', undefined, { who: 'signal' }, { result });
  };
}
