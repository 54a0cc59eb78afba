/** The clock of a machine jumps: an hour back, a year ahead. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiError } from '../lib/api.ts';
import { Peer, type UpOptions } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { must, numbered, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const shift = fileURLToPath(new URL('../lib/shift-clock.mjs', import.meta.url));
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

export const clock: Scenario = {
  name: 'clock',
  promise:
    'nothing is signed with a clock that jumped; reading goes on, and signing when it is set',
  async run({ work }) {
    const file = join(work.folder, 'clock');
    const set = (ms: number): void => {
      writeFileSync(`${file}.new`, String(ms));
      renameSync(`${file}.new`, file);
    };
    const shifted: UpOptions = {
      nodeArgs: ['--import', shift],
      environment: { TESTNET_CLOCK: file },
    };
    set(0);
    const writer = await (await new Peer(work, 'writer').init()).up(shifted);
    await writer.api.post('/streams', { name: 'events' });
    const log = new Log(writer);
    must(await log.takes(), 'a sound clock is refused');
    for (const jump of [-hourMs, yearMs]) {
      set(jump);
      await until('the node to refuse', async () => ((await log.takes()) ? undefined : true));
      await log.reads();
      set(0);
      await until('the node to sign again', async () => ((await log.takes()) ? true : undefined));
    }
    await writer.down();
    // The same at a start, and by the operator's word.
    set(yearMs);
    await writer.up(shifted);
    must(!(await log.takes()), 'a year ahead is signed at a start');
    await log.reads();
    await writer.down();
    await writer.up({ ...shifted, args: ['--accept-clock'] });
    must(await log.takes(), '--accept-clock does not help');
    await writer.down();
    // Now the log ends in the future: with the true clock nothing may be signed.
    set(0);
    await writer.up(shifted);
    must(!(await log.takes()), 'a log that ends in the future is signed');
    await log.reads();
    await writer.down();
    (await writer.hw(['verify', 'events', '--offline'])).expect(0);
    return 'an hour back, a year ahead, at a start, with --accept-clock';
  },
};

class Log {
  readonly #writer: Peer;
  #next = 0;
  #taken = 0;

  constructor(writer: Peer) {
    this.#writer = writer;
  }

  /** Publishes a new event; false where it is refused for the clock, which is the only good reason. */
  async takes(): Promise<boolean> {
    try {
      await this.#writer.api.publish(stream, [numbered(this.#next++)]);
      this.#taken += 1;
      return true;
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      const { code, status } = cause;
      must(code === 'clock-untrusted' && status === 503, `refused with ${status} ${code}`);
      return false;
    }
  }

  /** What was taken can be read. */
  async reads(): Promise<void> {
    const found = (await this.#writer.api.replay(stream)).length;
    must(found === this.#taken, `${found} of ${this.#taken} events can be read`);
  }
}
