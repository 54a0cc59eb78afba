/**
 * config.yaml: read with the place of every fault, overridden by `HW_…` variables, changed key by
 * key without losing comments. A key that is not in `config-schema.ts` is refused, never ignored.
 */
import { isMap, isScalar, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { fault, type Code, type Fault, type Place } from '../errors.ts';
import { limits as defaultLimits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asDid, type Did } from '../types.ts';
import { checkTogether } from './config-rules.ts';
import { keyPaths, keySpec, roles, type Config, type Limits } from './config-schema.ts';
import { nearest } from './nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Values by dotted path, as they were written, and where. */
class Settings extends Map<string, unknown> {
  readonly places: Map<string, Place> = new Map();
}

/**
 * Reads the text of a config.yaml; `file` is for the places. Faults: `config-syntax`,
 * `config-unknown-key`, `config-value`, `not-supported`.
 */
export function parseConfig(text: string, file: string, environment: Environment): Result<Config> {
  const parsed = parseFile(text, file);
  if (!parsed.ok) return parsed;
  const settings = parsed.value;
  const overridden = override(settings, environment);
  if (!overridden.ok) return overridden;
  for (const needed of ['organisation', 'http.listen', 'p2p.listen']) {
    if (!settings.has(needed)) {
      return err(fault('config-value', `${needed} is missing`, { file, pointer: needed }));
    }
  }
  const config = toConfig(settings);
  const placed = (path: string): Place => settings.places.get(path) ?? { file, pointer: path };
  const together = checkTogether(config, placed);
  return together.ok ? ok(config) : together;
}

/** Where each effective value comes from, for `hw config show`. */
export function configSources(text: string, environment: Environment): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  const parsed = parseFile(text, '');
  if (parsed.ok) for (const path of parsed.value.keys()) sources.set(path, 'config.yaml');
  for (const path of keyPaths()) {
    const name = variableName(path);
    if (environment[name] !== undefined) sources.set(path, name);
  }
  return sources;
}

/**
 * The text with one key set, comments and order kept. `value` is YAML (`5`, `[a, b]`, text). The
 * result has been read back, so it is a valid configuration.
 */
export function setInConfig(
  text: string,
  file: string,
  path: string,
  value: unknown,
): Result<string> {
  const known = requireKey(path, { file, pointer: path });
  if (!known.ok) return known;
  const document = parseDocument(text);
  document.setIn(path.split('.'), document.createNode(value));
  const changed = document.toString();
  const checked = parseConfig(changed, file, {});
  // The place in the changed text would mislead: the fault is in what was typed.
  return checked.ok ? ok(changed) : err({ ...checked.error, place: { pointer: path } });
}

/** A value from the command line or the environment: YAML, with `a,b` for lists. */
export function parseSetting(path: string, text: string): Result<unknown> {
  const spec = requireKey(path, { pointer: path });
  if (!spec.ok) return spec;
  const isList = spec.value.schema['type'] === 'array';
  if (isList && !text.trimStart().startsWith('[')) {
    return ok(text === '' ? [] : text.split(',').map((item) => item.trim()));
  }
  // Addresses and multiaddrs hold colons, so plain text is not read as YAML.
  if (spec.value.schema['type'] === 'string') return ok(text);
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    return err(fault('config-value', `${path}: not a YAML value`, { pointer: path }));
  }
  return ok(document.toJS());
}

/** `http.listen` → `HW_HTTP_LISTEN`, `limits.maxPendingEvents` → `HW_LIMITS_MAX_PENDING_EVENTS`. */
export function variableName(path: string): string {
  const words = path.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).replaceAll('.', '_');
  return `HW_${words.toUpperCase()}`;
}

function parseFile(text: string, file: string): Result<Settings> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const problem = document.errors[0];
  if (problem !== undefined) {
    return err(fault('config-syntax', firstLine(problem.message), place(problem.pos[0])));
  }
  return walk(document, place);
}

function walk(document: Document, place: (offset: number) => Place): Result<Settings> {
  const settings = new Settings();
  const visit = (node: Node | null, prefix: string): Fault | undefined => {
    if (!isMap(node)) {
      return fault(
        'config-value',
        `${prefix || 'the file'} must be a map of keys`,
        placeOf(node, place),
      );
    }
    for (const pair of node.items) {
      if (!isScalar(pair.key)) return fault('config-syntax', 'a key that is not text', place(0));
      const path = `${prefix}${prefix === '' ? '' : '.'}${String(pair.key.value)}`;
      const keyPlace = { ...placeOf(pair.key, place), pointer: path };
      const value = isNode(pair.value) ? pair.value : null;
      if (isSection(path)) {
        const inner = visit(value, path);
        if (inner !== undefined) return inner;
        continue;
      }
      const spec = requireKey(path, keyPlace);
      if (!spec.ok) return spec.error;
      const plain: unknown = value === null ? null : value.toJS(document);
      const read = spec.value.read(plain);
      if (!read.ok)
        return wrongValue(path, read.error, {
          ...placeOf(value ?? pair.key, place),
          pointer: path,
        });
      settings.set(path, read.value);
      settings.places.set(path, { ...placeOf(value ?? pair.key, place), pointer: path });
    }
    return undefined;
  };
  if (document.contents === null) return ok(settings);
  const problem = visit(isNode(document.contents) ? document.contents : null, '');
  return problem === undefined ? ok(settings) : err(problem);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'toJS' in value;
}

function placeOf(node: Node | null, place: (offset: number) => Place): Place {
  return place(node?.range?.[0] ?? 0);
}

function isSection(path: string): boolean {
  return keyPaths().some((known) => known.startsWith(`${path}.`));
}

function sections(): readonly string[] {
  return [...new Set(keyPaths().flatMap((path) => path.split('.').slice(0, -1)))];
}

function requireKey(path: string, place: Place): Result<NonNullable<ReturnType<typeof keySpec>>> {
  const spec = keySpec(path);
  if (spec === undefined)
    return err(unknown('config-unknown-key', path, [...keyPaths(), ...sections()], place));
  if (spec.planned === true) {
    return err(fault('not-supported', `${path} is not built yet`, place, 'Remove the key.'));
  }
  return ok(spec);
}

function unknown(code: Code, name: string, known: readonly string[], place: Place): Fault {
  const suggestion = nearest(name, known);
  const hint = suggestion === undefined ? undefined : `Did you mean ${suggestion}?`;
  return fault(code, `unknown key ${name}`, place, hint);
}

function wrongValue(path: string, wanted: string, place: Place): Fault {
  return fault('config-value', `${path} must be ${wanted}`, place);
}

/** Variables whose name begins like a section but fits no key are a typing mistake: say so. */
function override(settings: Settings, environment: Environment): Result<void> {
  const byVariable = new Map(keyPaths().map((path) => [variableName(path), path]));
  for (const [name, text] of Object.entries(environment)) {
    if (text === undefined) continue;
    const path = byVariable.get(name);
    if (path === undefined) {
      if (!/^HW_(?:HTTP|P2P|LIMITS|SCRUB)_/.test(name)) continue;
      return err(unknown('config-unknown-key', name, [...byVariable.keys()], { pointer: name }));
    }
    const value = parseSetting(path, text);
    if (!value.ok) return err({ ...value.error, place: { pointer: name } });
    const read = keySpec(path)?.read(value.value);
    if (read === undefined) continue;
    if (!read.ok) return err(wrongValue(path, read.error, { pointer: name }));
    settings.set(path, read.value);
    settings.places.set(path, { pointer: name });
  }
  return ok(undefined);
}

function toConfig(settings: Settings): Config {
  const texts = (path: string): readonly string[] => {
    const value = settings.get(path);
    return Array.isArray(value) ? value.map(String) : [];
  };
  return {
    organisation: String(settings.get('organisation')),
    http: toHttp(settings),
    p2p: {
      listen: texts('p2p.listen'),
      announce: texts('p2p.announce'),
      bootstrap: texts('p2p.bootstrap'),
    },
    follow: texts('follow'),
    roles: roles.filter((role) => texts('roles').includes(role)),
    restoreGuard: settings.get('restoreGuard') === 'strict' ? 'strict' : 'normal',
    witness: { origins: texts('witness.origins'), urls: texts('witness.urls') },
    aliases: toAliases(settings.get('aliases')),
    scrub: { repair: settings.get('scrub.repair') !== false },
    deliveries: { public: settings.get('deliveries.public') === true },
    access: { rules: listOf(settings.get('access.rules')) },
    limits: toLimits(settings),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function toHttp(settings: Settings): Config['http'] {
  const text = (path: string): string | undefined => {
    const value = settings.get(path);
    return typeof value === 'string' ? value : undefined;
  };
  const [open, metrics] = [text('http.public'), text('http.metrics')];
  const [cert, key] = [text('http.tls.cert'), text('http.tls.key')];
  return {
    listen: String(settings.get('http.listen')),
    ...(open === undefined ? {} : { public: open }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(cert === undefined && key === undefined
      ? {}
      : { tls: { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) } }),
  };
}

function toAliases(value: unknown): Readonly<Record<string, Did>> {
  const aliases: Record<string, Did> = {};
  for (const [name, did] of Object.entries(value ?? {})) aliases[name] = asDid(String(did));
  return aliases;
}

function toLimits(settings: Settings): Limits {
  const merged: Record<keyof Limits, number> = { ...defaultLimits };
  for (const name of limitNames()) {
    const value = settings.get(`limits.${name}`);
    if (typeof value === 'number') merged[name] = value;
  }
  return merged;
}

function isLimitName(name: string): name is keyof Limits {
  return Object.hasOwn(defaultLimits, name);
}

function limitNames(): readonly (keyof Limits)[] {
  return Object.keys(defaultLimits).filter(isLimitName);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
