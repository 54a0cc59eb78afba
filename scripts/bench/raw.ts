/** The raw limits of this machine that the other figures are put in proportion to. */
import { generateKeyPairSync, hash, sign, verify } from 'node:crypto';
import { callsPerSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { RawLevel } from './raw-level.ts';
import { tcpBytesPerSecond } from './raw-tcp.ts';
import { median } from './statistics.ts';
import { Child } from './temporary.ts';

/** Hashes, signatures, JSON.parse. */
export const rawCpu: Bench = {
  names: ['rawSha256', 'rawSign', 'rawVerify', 'rawJsonParse', 'rawEventBytes'],
  run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const many = quick ? 20_000 : 200_000;
    const texts = new Events().texts(1707);
    const message = new Uint8Array(400).fill(7);
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signature = sign(null, message, privateKey);
    let at = 0;
    return Promise.resolve([
      { name: 'rawSha256', value: middle(many, () => void hash('sha256', message, 'binary')) },
      { name: 'rawSign', value: middle(many / 40, () => void sign(null, message, privateKey)) },
      {
        name: 'rawVerify',
        value: middle(many / 40, () => void verify(null, message, publicKey, signature)),
      },
      {
        name: 'rawJsonParse',
        value: middle(many, () => void JSON.parse(texts[at++ % texts.length] ?? '')),
      },
      { name: 'rawEventBytes', value: meanBytes(texts) },
    ]);
  },
};

/** Calls a second. */
function middle(calls: number, run: () => void): number {
  return median(callsPerSecond(5, calls, run));
}

function meanBytes(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / texts.length;
}

/** A LevelDB as large as the home of the cold open. */
export const rawLevelMillion: Bench = {
  names: ['rawLevelScan', 'rawLevelGet', 'rawLevelOpen', 'rawDiskBytes'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const total = quick ? 100_000 : 1_000_000;
    const part = 50_000;
    const events = new Events();
    await using level = await RawLevel.open();
    while (level.count < total) await level.put(events.bytes(part), false);
    const scans = await rounds(3, () => level.scan());
    const gets = await level.gets(quick ? 1000 : 10_000);
    const opens = await rounds(3, () => level.reopen());
    return [
      { name: 'rawLevelScan', value: median(scans) },
      { name: 'rawLevelGet', value: median(gets) },
      { name: 'rawLevelOpen', value: median(opens) },
      { name: 'rawDiskBytes', value: (await level.bytes()) / level.count },
    ];
  },
};

export const rawTcp: Bench = {
  names: ['rawTcp'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const bytes = await rounds(3, () => tcpBytesPerSecond(quick ? 2 ** 27 : 2 ** 29));
    return [{ name: 'rawTcp', value: median(bytes) / meanBytes(new Events().texts(1707)) }];
  },
};

export const rawResident: Bench = {
  names: ['rawResidentMiB'],
  async run(): Promise<readonly Measured[]> {
    await using child = new Child('idle-process.ts', []);
    return [{ name: 'rawResidentMiB', value: Number(await child.line()) / 2 ** 20 }];
  },
};
