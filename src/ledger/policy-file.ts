/**
 * Trust policy files (C2SP tlog-policy). Words are separated by spaces or tabs; blank lines and
 * lines that begin with # are passed over:
 *
 *   log <vkey> [<url>]
 *   witness <name> <vkey> [<url>]
 *   group <name> all|any|<k> <member>…       1 <= k <= number of members
 *   quorum <name>|none                       exactly once
 *
 * Names are opaque bytes, defined before they are used; each is a member of one group at most. No
 * two logs and no two witnesses have one key. Allowed bytes are tab, LF, 0x20..0x7E and 0x80..0xFF.
 * Beyond C2SP: after a url, where nothing can follow, a comment is passed over, as other readers do;
 * the vkey of a witness may be of type 0x01, or a did:key (cosignature.ts).
 */
import { equal, fromUtf8 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { at, fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { parseCosigner } from './cosignature.ts';
import { noteAlgorithm, parseVkey, type NoteKey } from './note.ts';
import { checkThreshold, type Quorum, type TrustPolicy } from './trust-policy.ts';

/** Names that mean something else. `all` and `any` only by our caution. */
const reserved = new Set(['none', 'all', 'any']);

/** A policy with the names and addresses of its file. */
export interface PolicyFile extends TrustPolicy {
  /** Witnesses and groups by name; non-ASCII bytes of a name are Latin-1 characters here. */
  readonly names: ReadonlyMap<string, Quorum>;
  readonly addresses: readonly { readonly key: NoteKey; readonly url: string }[];
}

/**
 * Reads a policy file. Codes, with the line: policy-syntax, policy-name, policy-member,
 * policy-threshold, policy-key-twice, policy-quorum, bad-vkey.
 */
export function parsePolicyFile(h: Hasher, bytes: Uint8Array): Result<PolicyFile> {
  if (bytes.length > protocol.maxPolicyBytes) {
    return err(fault('policy-syntax', `a policy of ${bytes.length} bytes`));
  }
  const lines = latin1(bytes).split('\n');
  const reader = new PolicyReader(h);
  for (const [i, line] of lines.entries()) {
    const wrong = reader.line(line);
    if (wrong !== undefined) return err(at(wrong, { line: i + 1 }));
  }
  return reader.end();
}

/** One character a byte, so that names stay opaque. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return text;
}

/** Back to the text that the bytes are; the vkeys of this file are UTF-8. */
function decoded(word: string): string {
  const text = fromUtf8(Uint8Array.from(word, (character) => character.charCodeAt(0)));
  return text.ok ? text.value : '';
}

class PolicyReader {
  readonly #h: Hasher;
  readonly #logs: NoteKey[] = [];
  readonly #witnesses: NoteKey[] = [];
  readonly #names = new Map<string, Quorum>();
  readonly #members = new Set<string>();
  readonly #addresses: { readonly key: NoteKey; readonly url: string }[] = [];
  #quorum: Quorum | undefined;

  constructor(h: Hasher) {
    this.#h = h;
  }

  line(line: string): Fault | undefined {
    if (/[^\t -~\u0080-\u00ff]/.test(line)) return wrong('policy-syntax', 'a control character');
    const [keyword, ...words] = line.split(/[\t ]+/).filter((word) => word !== '');
    if (keyword === undefined || keyword.startsWith('#')) return undefined;
    if (this.#names.size + this.#logs.length >= protocol.maxPolicyNames) {
      return wrong('policy-syntax', `more than ${protocol.maxPolicyNames} names`);
    }
    switch (keyword) {
      case 'log':
        return this.#log(words);
      case 'witness':
        return this.#witness(words);
      case 'group':
        return this.#group(words);
      case 'quorum':
        return this.#setQuorum(words);
      default:
        return wrong('policy-syntax', `unknown keyword ${JSON.stringify(keyword)}`);
    }
  }

  end(): Result<PolicyFile> {
    const quorum = this.#quorum;
    if (quorum === undefined) return err(wrong('policy-quorum', 'no quorum line'));
    return ok({
      owners: [],
      logs: this.#logs,
      witnesses: this.#witnesses,
      quorum,
      names: this.#names,
      addresses: this.#addresses,
    });
  }

  #log([vkey, ...rest]: readonly string[]): Fault | undefined {
    const key = parseVkey(this.#h, decoded(vkey ?? ''));
    if (!key.ok) return key.error;
    if (key.value.algorithm !== noteAlgorithm.ed25519) {
      return wrong('bad-vkey', 'a cosigner key cannot be the key of a log');
    }
    return this.#add(this.#logs, key.value, rest);
  }

  #witness([name = '', vkey, ...rest]: readonly string[]): Fault | undefined {
    const taken = this.#taken(name);
    if (taken !== undefined) return taken;
    const key = parseCosigner(this.#h, decoded(vkey ?? ''));
    if (!key.ok) return key.error;
    const twice = this.#add(this.#witnesses, key.value, rest);
    if (twice !== undefined) return twice;
    this.#names.set(name, { kind: 'key', key: key.value.publicKey });
    return undefined;
  }

  #group([name = '', size = '', ...words]: readonly string[]): Fault | undefined {
    const taken = this.#taken(name);
    if (taken !== undefined) return taken;
    if (words.length === 0) return wrong('policy-syntax', 'a group without members');
    const threshold = size === 'all' ? words.length : size === 'any' ? 1 : decimal(size);
    const outside = checkThreshold(threshold, words.length);
    if (outside !== undefined) return outside;
    const members: Quorum[] = [];
    for (const word of words) {
      const member = this.#names.get(word);
      if (word === 'none') return wrong('policy-member', 'none cannot be a member');
      if (member === undefined) return wrong('policy-name', `${JSON.stringify(word)} is not known`);
      if (this.#members.has(word)) {
        return wrong('policy-member', `${JSON.stringify(word)} is a member already`);
      }
      this.#members.add(word);
      members.push(member);
    }
    this.#names.set(name, { kind: 'group', threshold, members });
    return undefined;
  }

  #setQuorum(words: readonly string[]): Fault | undefined {
    const [name = '', ...rest] = words;
    if (name === '' || rest.length > 0) return wrong('policy-syntax', 'quorum names one thing');
    if (this.#quorum !== undefined) return wrong('policy-quorum', 'a second quorum line');
    const quorum: Quorum | undefined = name === 'none' ? { kind: 'none' } : this.#names.get(name);
    if (quorum === undefined) return wrong('policy-name', `${JSON.stringify(name)} is not known`);
    this.#quorum = quorum;
    return undefined;
  }

  #taken(name: string): Fault | undefined {
    if (name === '') return wrong('policy-syntax', 'a name is missing');
    if (reserved.has(name)) return wrong('policy-name', `${name} is reserved`);
    return this.#names.has(name) ? wrong('policy-name', `${name} is defined twice`) : undefined;
  }

  #add(keys: NoteKey[], key: NoteKey, rest: readonly string[]): Fault | undefined {
    const comment = rest.findIndex((word) => word.startsWith('#'));
    const [url, after] = comment < 0 ? rest : rest.slice(0, comment);
    if (after !== undefined) return wrong('policy-syntax', 'words after the url');
    if (keys.some(({ publicKey }) => equal(publicKey, key.publicKey))) {
      return wrong('policy-key-twice', `the key of ${key.name} is listed twice`);
    }
    keys.push(key);
    if (url !== undefined) this.#addresses.push({ key, url: decoded(url) });
    return undefined;
  }
}

function decimal(text: string): number {
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : 0;
}

function wrong(code: Code, message: string): Fault {
  return fault(code, message);
}
