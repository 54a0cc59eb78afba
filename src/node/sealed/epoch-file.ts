/**
 * Files of epoch keys, one for each log, in a folder under `keys/`:
 *
 *   {"format": "headwater-epochs", "version": 1, "log": "b…",
 *    "aes-256-gcm": {"nonce": base64url 12, "sealed": base64url}}
 *
 * What is sealed is dag-cbor [[generation, [[level, node, key 32], …]], …], generations in order; the
 * key is HMAC-SHA-256(node secret, "headwater/epoch-keys/1"), the associated data
 * "headwater/epoch-keys/1" ‖ logId. The node secret is the home's `node.key`, so where the home's keys
 * have a passphrase these files are behind it too. Mode 0600; replaced as a whole.
 */
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochNode } from '../../access/epoch-keys.ts';
import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from '../../bytes.ts';
import { CborReader, CborWriter } from '../../cbor.ts';
import { nodeCipher } from '../../cipher-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Random } from '../../host.ts';
import { logIdHash, parseLogId } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { makeFolders, readBytes, replaceFile, systemCode } from '../files.ts';

/** The nodes of one generation's key tree that are held. */
export interface HeldGeneration {
  readonly generation: number;
  /** Disjoint, in no order. The root alone where nothing was shredded. */
  readonly nodes: readonly EpochNode[];
}

const format = 'headwater-epochs';
const label = utf8('headwater/epoch-keys/1');
const suffix = '.epochs';

/** Name of the file of one log. */
export function epochFileName(log: LogId): string {
  return `${log}${suffix}`;
}

/** Whether this is the name of such a file, and not of one that was set aside or is being written. */
export function isEpochFile(name: string): boolean {
  return name.endsWith(suffix) && parseLogId(name.slice(0, -suffix.length)).ok;
}

/** What a folder of such files holds. */
export interface EpochFolder {
  readonly logs: ReadonlyMap<LogId, readonly HeldGeneration[]>;
  /** Files that cannot be used, by the log in their name. */
  readonly damaged: ReadonlyMap<LogId, Fault>;
}

export class EpochFiles {
  readonly #folder: string;
  readonly #random: Random;
  readonly #key: Uint8Array;

  /** `nodeSecret` is the 32 bytes of the home's node key; the folder is made when it is needed. */
  constructor(folder: string, nodeSecret: Uint8Array, random: Random) {
    this.#folder = folder;
    this.#random = random;
    this.#key = nodeCipher.hmacSha256(nodeSecret, label);
  }

  fileOf(log: LogId): string {
    return join(this.#folder, epochFileName(log));
  }

  /** All files. One that cannot be used costs its own log only. Code: file-unreadable (the folder). */
  async readAll(): Promise<Result<EpochFolder>> {
    const logs = new Map<LogId, readonly HeldGeneration[]>();
    const damaged = new Map<LogId, Fault>();
    const names = await this.#names();
    if (!names.ok) return names;
    for (const log of names.value) {
      const held = await this.read(log);
      if (held.ok) logs.set(log, held.value);
      else damaged.set(log, held.error);
    }
    return ok({ logs, damaged });
  }

  /** Codes: file-unreadable, epoch-keys-damaged. */
  async read(log: LogId): Promise<Result<readonly HeldGeneration[]>> {
    const file = this.fileOf(log);
    const bytes = await readBytes(file);
    if (!bytes.ok) return bytes;
    const held = this.#decode(log, bytes.value);
    if (held !== undefined) return ok(held);
    return err(fault('epoch-keys-damaged', `${file} does not open`, { file }));
  }

  /** Durable when it resolves. Code: file-unwritable. */
  async write(log: LogId, held: readonly HeldGeneration[]): Promise<Result<void>> {
    const made = await makeFolders(this.#folder, ['']);
    return made.ok ? replaceFile(this.fileOf(log), this.#encode(log, held), 0o600) : made;
  }

  /** Moves a file that cannot be used out of the way: it is never written over. */
  async setAside(log: LogId): Promise<Result<void>> {
    const file = this.fileOf(log);
    const beside = `${file}.${toBase64url(this.#random.bytes(6))}.damaged`;
    try {
      await rename(file, beside);
      return ok(undefined);
    } catch (cause) {
      const reason = systemCode(cause) ?? 'unknown reason';
      return err(fault('file-unwritable', `${file} cannot be set aside: ${reason}`, { file }));
    }
  }

  async #names(): Promise<Result<readonly LogId[]>> {
    try {
      const names = await readdir(this.#folder);
      return ok(
        names.flatMap((name) => {
          if (!name.endsWith(suffix)) return [];
          const log = parseLogId(name.slice(0, -suffix.length));
          return log.ok ? [log.value] : [];
        }),
      );
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return ok([]);
      const reason = systemCode(cause) ?? 'unknown reason';
      const file = this.#folder;
      return err(fault('file-unreadable', `${file} cannot be read: ${reason}`, { file }));
    }
  }

  #encode(log: LogId, held: readonly HeldGeneration[]): Uint8Array {
    const nodes = held.reduce((sum, one) => sum + one.nodes.length, 0);
    const writer = new CborWriter(64 + 16 * held.length + 48 * nodes);
    writer.list(held.length);
    for (const { generation, nodes: own } of held) {
      writer.list(2).uint(generation).list(own.length);
      for (const { level, node, key } of own) writer.list(3).uint(level).uint(node).bytes(key);
    }
    const plaintext = writer.take();
    const nonce = this.#random.bytes(12);
    const sealed = nodeCipher.seal(this.#key, nonce, boundTo(log), plaintext);
    plaintext.fill(0);
    const box = { nonce: toBase64url(nonce), sealed: toBase64url(sealed) };
    return utf8(`${JSON.stringify({ format, version: 1, log, 'aes-256-gcm': box }, null, 2)}\n`);
  }

  #decode(log: LogId, bytes: Uint8Array): readonly HeldGeneration[] | undefined {
    if (bytes.length > limits.maxEpochFileBytes) return undefined;
    const text = fromUtf8(bytes);
    const file = text.ok ? member(parseJson(text.value)) : undefined;
    const box = member(file?.['aes-256-gcm']);
    if (file?.['format'] !== format || file['version'] !== 1 || file['log'] !== log) {
      return undefined;
    }
    const nonce = bytesOf(box?.['nonce']);
    const sealed = bytesOf(box?.['sealed']);
    if (nonce?.length !== 12 || sealed === undefined) return undefined;
    const plaintext = nodeCipher.open(this.#key, nonce, boundTo(log), sealed);
    return plaintext && readGenerations(plaintext);
  }
}

function readGenerations(plaintext: Uint8Array): readonly HeldGeneration[] | undefined {
  const reader = new CborReader(plaintext);
  const held: HeldGeneration[] = [];
  for (let left = reader.list(); left > 0; left--) {
    if (reader.list() !== 2) reader.fail('not a generation');
    const generation = reader.uint();
    const nodes: EpochNode[] = [];
    for (let more = reader.list(); more > 0; more--) {
      if (reader.list() !== 3) reader.fail('not a node');
      const [level, node] = [reader.uint(), reader.uint()];
      const key = reader.bytes().slice();
      if (level > 32 || node >= 2 ** (32 - level) || key.length !== 32) reader.fail('not a node');
      if (reader.failed !== undefined) return undefined;
      nodes.push({ level, node, key });
    }
    held.push({ generation, nodes });
  }
  reader.end();
  plaintext.fill(0);
  return reader.failed === undefined ? held : undefined;
}

function boundTo(log: LogId): Uint8Array {
  return concat(label, logIdHash(log));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function member(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bytesOf(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? fromBase64url(value) : undefined;
  return bytes?.ok === true ? bytes.value : undefined;
}
