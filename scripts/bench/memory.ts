/** The memory of a node that is published to at full rate for minutes. */
import type { Bench, BenchOptions } from './bench.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { HttpLoad } from './http-connection.ts';
import { BenchNetwork } from './network.ts';

const connections = 8;
const batchEvents = 255;
const sampleMs = 500;
const mebibyte = 2 ** 20;

export const memory: Bench = {
  names: ['residentMiB', 'residentGrowthMiB', 'residentEvents'],
  async run({ memoryMinutes }: BenchOptions): Promise<readonly Measured[]> {
    await using network = await BenchNetwork.open();
    const events = new Events();
    const samples: number[] = [];
    const child = network.producer.process;
    const sampling = setInterval(() => samples.push(child.residentBytes() / mebibyte), sampleMs);
    using load = await HttpLoad.open(network.target.port, connections);
    const begun = performance.now();
    try {
      await load.run(() =>
        performance.now() - begun > 60_000 * memoryMinutes
          ? undefined
          : network.batch(events, batchEvents),
      );
    } finally {
      clearInterval(sampling);
    }
    const seconds = (performance.now() - begun) / 1000;
    return [
      { name: 'residentMiB', value: child.peakBytes() / mebibyte },
      { name: 'residentGrowthMiB', value: fifth(samples, 4) - fifth(samples, 1) },
      { name: 'residentEvents', value: events.next / seconds },
    ];
  },
};

/** Mean of the n-th fifth of the samples, from 0. */
function fifth(samples: readonly number[], n: number): number {
  const part = samples.slice(
    Math.floor((samples.length * n) / 5),
    Math.floor((samples.length * (n + 1)) / 5),
  );
  return part.reduce((sum, value) => sum + value, 0) / part.length;
}
