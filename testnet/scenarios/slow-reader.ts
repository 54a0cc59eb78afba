/**
 * Readers that follow a stream and take nothing: the node holds no memory for them, cuts them off
 * with a reason behind what they still have to read, and gives them the rest when they come back.
 */
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { JsonView } from '../../src/node/json-view.ts';
import { streamPath } from '../lib/api.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { must, numbered, numberOf, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const events = 6000;
const eventBytes = 8000;
const readersOfEach = 4;
const stallMs = 1500;
/** Less than two of the batches that a reader may have under way, each. */
const moreBytes = 96 * 1024 * 1024;

export const slowReader: Scenario = {
  name: 'slow-reader',
  promise: 'a reader that takes nothing is cut off with a reason, costs no memory, and comes back',
  async run({ work }) {
    const writer = await new Peer(work, 'writer').init();
    writer.configure('limits.maxReaderStallMs', stallMs);
    await writer.up();
    await writer.api.post('/streams', { name: 'events' });
    for (let n = 0; n < events; n += 60) {
      const batch = Array.from({ length: 60 }, (_, i) => numbered(n + i, eventBytes));
      await writer.api.publish(stream, batch);
    }
    await writer.api.replay(stream, { limit: 2000 });
    const before = writer.process.residentBytes();
    const each = Array.from({ length: readersOfEach }, (_, i) => i);
    const readers: readonly Reader[] = [
      ...(await Promise.all(each.map(() => openSse(writer)))),
      ...(await Promise.all(each.map((i) => openSocket(writer, `slow-${i}`)))),
    ];
    await until('all of them to be cut off', () => {
      const cut = readFileSync(writer.log, 'utf8').split('"code":"reader-too-slow"').length - 1;
      return cut >= readers.length ? true : undefined;
    });
    const grown = writer.process.residentBytes() - before;
    must(
      grown < moreBytes,
      `${readers.length} slow readers cost ${Math.round(grown / 2 ** 20)} MiB`,
    );
    const parts = await Promise.all(
      readers.map(async (reader) => {
        const first = await reader.rest();
        must(first.reason === 'reader-too-slow', `the reason is ${first.reason}`);
        must(first.numbers.length < events, 'it was not slow enough');
        const second = await reader.again();
        inOrder([...first.numbers, ...second]);
        return first.numbers.length;
      }),
    );
    await writer.down();
    const mib = Math.max(0, Math.round(grown / 2 ** 20));
    return `${readers.length} readers cut off after ${Math.min(...parts)} to ${Math.max(...parts)} of ${events} events, ${mib} MiB more`;
  },
};

interface Reader {
  /** Reads what lies there, up to the reason why it ends. */
  rest(): Promise<{ readonly numbers: readonly number[]; readonly reason: string }>;
  /** Comes back and takes the rest. */
  again(): Promise<readonly number[]>;
}

function inOrder(numbers: readonly number[]): void {
  must(numbers.length === events, `${numbers.length} of ${events} events`);
  const wrong = numbers.findIndex((n, i) => n !== i);
  must(wrong < 0, `event ${numbers[wrong]} comes at place ${wrong}`);
}

async function openSse(writer: Peer): Promise<Reader> {
  const response = await follow(writer, {});
  let last = '';
  return {
    rest: async () => {
      const messages = (await textOf(response)).split('\n\n');
      const sound = messages.filter((message) => message.startsWith('id: '));
      last = /^id: (.+)$/m.exec(sound.at(-1) ?? '')?.[1] ?? '';
      const error = messages.find((message) => message.startsWith('event: error'));
      const reason = JsonView.parse(error?.split('\ndata: ')[1] ?? '').text('code') ?? 'none';
      return { numbers: sound.map(numberOf), reason };
    },
    again: async () => {
      const rest = await follow(writer, { 'last-event-id': last });
      const numbers: number[] = [];
      let part = '';
      for await (const chunk of rest.setEncoding('utf8')) {
        const messages = `${part}${String(chunk)}`.split('\n\n');
        part = messages.pop() ?? '';
        numbers.push(...messages.filter((one) => one.startsWith('id: ')).map(numberOf));
        if (numbers.at(-1) === events - 1) break;
      }
      return numbers;
    },
  };
}

function follow(
  { api }: Peer,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const authorization = `Bearer ${api.token}`;
  get(
    `${api.base}${streamPath(stream)}/events?from=start&follow=true`,
    { headers: { authorization, accept: 'text/event-stream', ...headers } },
    resolve,
  ).once('error', reject);
  return promise;
}

/** Nothing is taken from the socket before this is called. */
async function textOf(response: IncomingMessage): Promise<string> {
  const parts: string[] = [];
  for await (const part of response.setEncoding('utf8')) parts.push(String(part));
  return parts.join('');
}

async function openSocket(writer: Peer, cursor: string): Promise<Reader> {
  const socket = await connect(writer, cursor);
  const numbers: number[] = [];
  socket.on('message', (data: Buffer) => numbers.push(numberOf(data.toString('utf8'))));
  return {
    rest: async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      socket.once('close', (_code, reason) => resolve(reason.toString('utf8')));
      socket.resume();
      return { reason: await promise, numbers };
    },
    again: async () => {
      const rest = await connect(writer, cursor);
      const more: number[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      rest.on('message', (data: Buffer) => {
        more.push(numberOf(data.toString('utf8')));
        if (more.at(-1) === events - 1) resolve();
      });
      rest.once('close', () => resolve());
      rest.resume();
      await promise;
      rest.terminate();
      // A cursor never runs ahead of what was taken: the last batch before the cut may come again.
      const next = (numbers.at(-1) ?? -1) + 1;
      must((more[0] ?? events) <= next, `a gap from ${next} to ${more[0]}`);
      return more.filter((n) => n >= next);
    },
  };
}

/** Connected and paused. */
async function connect({ api }: Peer, cursor: string): Promise<WebSocket> {
  const url = `${api.base.replace('http', 'ws')}${streamPath(stream)}/events`;
  const socket = new WebSocket(
    `${url}?from=start&follow=true&cursor=${cursor}`,
    'cloudevents.json',
    { headers: { authorization: `Bearer ${api.token}` } },
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('open', () => {
    socket.pause();
    resolve();
  });
  socket.once('error', reject);
  await promise;
  return socket;
}
