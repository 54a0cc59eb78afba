/**
 * Every key of config.yaml in one table: what it means, what it may be, what it is by default.
 * The reader (`config.ts`), the JSON Schema for editors and docs/reference are made from it.
 */
import { nodeCrypto } from '../crypto-node.ts';
import { parseDid } from '../ids.ts';
import { parseCosigner } from '../ledger/cosignature.ts';
import { parseVkey } from '../ledger/note.ts';
import type { RestoreGuardMode } from '../ledger/unconfirmed.ts';
import { limits as defaultLimits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';
import { parseRules } from './access-rules.ts';

/** What a peer does beyond following and publishing. */
export type Role = 'relay' | 'witness';
export const roles: readonly Role[] = ['relay', 'witness'];

/** Every number of `limits` in limits.ts, as configured. */
export type Limits = { readonly [Name in keyof typeof defaultLimits]: number };

export interface Config {
  /** The organisation's own name for itself, shown to others in its registry; no identity. */
  readonly organisation: string;
  readonly http: {
    /** `host:port` of the API. */
    readonly listen: string;
    /** The same of the public listener, and of one for `/metrics` alone; absent: there is none. */
    readonly public?: string;
    readonly metrics?: string;
    /** Files of the certificate chain and its key, from the folder of config.yaml. */
    readonly tls?: { readonly cert?: string; readonly key?: string };
  };
  readonly p2p: {
    /** Multiaddrs to listen on, without `/p2p/…`. */
    readonly listen: readonly string[];
    /** Multiaddrs told to others in place of those listened on; empty: those. */
    readonly announce: readonly string[];
    /** Multiaddrs with `/p2p/<peer id>` to dial at start. */
    readonly bootstrap: readonly string[];
  };
  /** Streams and organisations to follow, as on the command line of `hw follow`. */
  readonly follow: readonly string[];
  readonly roles: readonly Role[];
  readonly witness: {
    /** As a witness: vkeys of logs outside of the network that are cosigned; the name is the origin. */
    readonly origins: readonly string[];
    /** Of our own public streams: witnesses by HTTP, each `<vkey or did:key> <submission prefix>`. */
    readonly urls: readonly string[];
  };
  /** Whether own logs that others have wait at the start for a word of them, and how long. */
  readonly restoreGuard: RestoreGuardMode;
  /** Local names of organisations. */
  readonly aliases: Readonly<Record<string, Did>>;
  readonly scrub: {
    /** Damage that the background scrub finds is repaired; otherwise it is only told. */
    readonly repair: boolean;
  };
  readonly access: {
    /** Requests for grants that are answered without the operator, as written: `parseRules` reads them. */
    readonly rules: readonly unknown[];
  };
  readonly deliveries: {
    /** Also who reads public streams goes into the journal. */
    readonly public: boolean;
  };
  readonly limits: Limits;
}

export type JsonSchema = { readonly [key: string]: unknown };

/** One key. `read` says in a few words what a wrong value should have been. */
export interface KeySpec {
  readonly description: string;
  readonly schema: JsonSchema;
  /** What `hw config show` and the documentation give as an example. */
  readonly example: unknown;
  readonly read: (value: unknown) => Result<unknown, string>;
  /** Designed, but refused with `not-supported` until it is built. */
  readonly planned?: true;
}

const addressPattern = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/;
const multiaddrPattern = /^(?:\/[A-Za-z0-9._:%-]+)+$/;
const namePattern = /^[a-z0-9][a-z0-9.-]{0,62}$/;

function matching(pattern: RegExp, wanted: string): (value: unknown) => Result<string, string> {
  return (value) => (typeof value === 'string' && pattern.test(value) ? ok(value) : err(wanted));
}

function listOf(
  item: (value: unknown) => Result<unknown, string>,
): (value: unknown) => Result<unknown, string> {
  return (value) => {
    if (!Array.isArray(value)) return err('a list');
    for (const one of value) {
      const read = item(one);
      if (!read.ok) return err(`a list of which each item is ${read.error}`);
    }
    return ok(value);
  };
}

function readAddress(value: unknown): Result<string, string> {
  const match = typeof value === 'string' ? addressPattern.exec(value) : null;
  if (match === null || Number(match[1]) > 65_535)
    return err('host:port, for example 127.0.0.1:8080');
  return ok(match[0]);
}

const readName = matching(namePattern, 'a name of a-z, 0-9, dot and dash');
const readMultiaddr = matching(multiaddrPattern, 'a multiaddr such as /ip4/127.0.0.1/tcp/4001');

const aliasPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

function readText(value: unknown): Result<string, string> {
  return typeof value === 'string' && value.trim() !== '' ? ok(value) : err('text');
}

function readRole(value: unknown): Result<Role, string> {
  const role = roles.find((known) => known === value);
  return role === undefined ? err(`one of ${roles.join(', ')}`) : ok(role);
}

function readVkey(value: unknown): Result<string, string> {
  if (typeof value === 'string' && parseVkey(nodeCrypto, value).ok) return ok(value);
  return err('a vkey, name+hash+key');
}

function readWitnessUrl(value: unknown): Result<string, string> {
  const [key = '', url = '', ...rest] = typeof value === 'string' ? value.split(/ +/) : [];
  const isUrl = /^https?:\/\/\S+$/.test(url) && URL.canParse(url);
  if (
    typeof value === 'string' &&
    isUrl &&
    rest.length === 0 &&
    parseCosigner(nodeCrypto, key).ok
  ) {
    return ok(value);
  }
  return err('a vkey or did:key, a space and an http(s) URL');
}

function readAliases(value: unknown): Result<unknown, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return err('a map of names to did:key:…');
  }
  for (const [name, did] of Object.entries(value)) {
    if (!aliasPattern.test(name))
      return err(`a map whose names are a-z, 0-9, dot, dash (not ${name})`);
    if (typeof did !== 'string' || !parseDid(did).ok) return err(`a did:key:z6Mk… for ${name}`);
  }
  return ok(value);
}

function readFlag(value: unknown): Result<boolean, string> {
  return typeof value === 'boolean' ? ok(value) : err('true or false');
}

function readCount(value: unknown): Result<number, string> {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
  return isCount ? ok(value) : err('a whole number of at least 1');
}

const text = { type: 'string' };
const texts = { type: 'array', items: text };

function planned(description: string, example: unknown): KeySpec {
  return { description, schema: {}, example, read: ok, planned: true };
}

/** Keys by dotted path, in the order in which they are shown; `limits.…` follow from limits.ts. */
export const keys: Readonly<Record<string, KeySpec>> = {
  organisation: {
    description: 'The name by which others may call this organisation.',
    schema: { type: 'string', pattern: namePattern.source },
    example: 'acme',
    read: readName,
  },
  'http.listen': {
    description: 'host:port of the HTTP API; anything but loopback needs http.tls.',
    schema: { type: 'string', pattern: addressPattern.source },
    example: '127.0.0.1:8080',
    read: readAddress,
  },
  'http.public': {
    description:
      'host:port of a second listener without a token: static trees of public streams, and the witness.',
    schema: { type: 'string', pattern: addressPattern.source },
    example: '0.0.0.0:8443',
    read: readAddress,
  },
  'http.metrics': {
    description: 'host:port of a listener for /metrics alone, without a token.',
    schema: { type: 'string', pattern: addressPattern.source },
    example: '127.0.0.1:9090',
    read: readAddress,
  },
  'http.tls.cert': {
    description: 'File (PEM) of the certificate chain; then every HTTP listener speaks TLS.',
    schema: text,
    example: 'tls.crt',
    read: readText,
  },
  'http.tls.key': {
    description: 'File (PEM) of the private key of the certificate.',
    schema: text,
    example: 'tls.key',
    read: readText,
  },
  'p2p.listen': {
    description: 'Multiaddrs on which other peers reach this one.',
    schema: texts,
    example: ['/ip4/0.0.0.0/tcp/4001'],
    read: listOf(readMultiaddr),
  },
  'p2p.announce': {
    description: 'Multiaddrs told to others in place of those listened on (behind NAT).',
    schema: texts,
    example: ['/dns4/peer.example.org/tcp/4001'],
    read: listOf(readMultiaddr),
  },
  'p2p.bootstrap': {
    description: 'Peers dialled at start, each a multiaddr that ends in /p2p/<peer id>.',
    schema: texts,
    example: ['/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWGYFQ…'],
    read: listOf(
      matching(
        /^(?:\/[A-Za-z0-9._:%-]+)+\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/,
        'a multiaddr that ends in /p2p/<peer id>',
      ),
    ),
  },
  follow: {
    description: 'Streams (alias/name, did:key:…/name, hw:<logId>) and organisations to follow.',
    schema: texts,
    example: ['acme/orders'],
    read: listOf(readText),
  },
  roles: {
    description: 'What this peer does for others.',
    schema: { type: 'array', items: { enum: roles } },
    example: ['relay'],
    read: listOf(readRole),
  },
  'witness.origins': {
    description:
      'As a witness: vkeys of logs outside of the network to cosign; the key name is the origin.',
    schema: texts,
    example: ['example.org/log+1c7f06b5+AZ…'],
    read: listOf(readVkey),
  },
  'witness.urls': {
    description:
      'Witnesses of our public streams by HTTP: key (vkey or did:key) and submission prefix.',
    schema: texts,
    example: ['did:key:z6Mk… https://witness.example.org/witness'],
    read: listOf(readWitnessUrl),
  },
  aliases: {
    description: 'Local names of organisations.',
    schema: { type: 'object', additionalProperties: text },
    example: { acme: 'did:key:z6Mk…' },
    read: readAliases,
  },
  restoreGuard: {
    description:
      'At the start, streams that others have wait for a peer that keeps them: normal goes on after limits.restoreGuardMs, strict waits.',
    schema: { enum: ['normal', 'strict'], default: 'normal' },
    example: 'normal',
    read: (value) =>
      value === 'normal' || value === 'strict' ? ok(value) : err('normal or strict'),
  },
  'access.rules': {
    description:
      'Answers to requests for grants, the first that fits: when (exact, prefix, suffix, all, any, not over stream, purpose, organisation, alias, renews), answer (accept or reject), for (longest), reason.',
    schema: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          when: { type: 'object' },
          answer: { enum: ['accept', 'reject'] },
          for: text,
          reason: text,
        },
        required: ['when', 'answer'],
        additionalProperties: false,
      },
    },
    example: [
      { when: { exact: { stream: 'orders', alias: 'beta' } }, answer: 'accept', for: '30d' },
    ],
    read: (value) => {
      const rules = parseRules(value);
      return rules.ok ? ok(value) : rules;
    },
  },
  'deliveries.public': {
    description:
      'Also records who reads public streams (direct and sealed ones always); what is gossiped cannot be counted.',
    schema: { type: 'boolean', default: false },
    example: false,
    read: readFlag,
  },
  'scrub.repair': {
    description: 'Repairs what the background scrub finds damaged; false: it is only told.',
    schema: { type: 'boolean', default: true },
    example: true,
    read: readFlag,
  },
  'webhooks.allowPrivate': planned('Lets webhooks call private addresses.', false),
};

/** The specification of a dotted path, limits included. */
export function keySpec(path: string): KeySpec | undefined {
  if (Object.hasOwn(keys, path)) return keys[path];
  const limit = Object.entries(defaultLimits).find(([name]) => `limits.${name}` === path);
  if (limit === undefined) return undefined;
  return {
    description: `Default ${limit[1]}.`,
    schema: { type: 'integer', minimum: 1, default: limit[1] },
    example: limit[1],
    read: readCount,
  };
}

/** Every dotted path that there is. */
export function keyPaths(): readonly string[] {
  return [...Object.keys(keys), ...Object.keys(defaultLimits).map((name) => `limits.${name}`)];
}

/** JSON Schema (2020-12) of config.yaml, for editors. */
export function configJsonSchema(): JsonSchema {
  const root: Record<string, unknown> = {};
  for (const path of keyPaths()) {
    const spec = keySpec(path);
    if (spec === undefined || spec.planned === true) continue;
    const parts = path.split('.');
    const last = parts.pop() ?? '';
    const parent = parts.reduce(childProperties, root);
    parent[last] = { ...spec.schema, description: spec.description };
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Headwater config.yaml',
    type: 'object',
    properties: root,
    required: ['organisation', 'http', 'p2p'],
    additionalProperties: false,
  };
}

/** The properties of the object named `name`, made where it is missing. */
function childProperties(parent: Record<string, unknown>, name: string): Record<string, unknown> {
  const existing = parent[name];
  if (isObjectSchema(existing)) return existing.properties;
  const properties: Record<string, unknown> = {};
  parent[name] = { type: 'object', properties, additionalProperties: false };
  return properties;
}

function isObjectSchema(value: unknown): value is { properties: Record<string, unknown> } {
  return typeof value === 'object' && value !== null && 'properties' in value;
}
