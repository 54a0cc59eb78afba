/**
 * `hw publish`: NDJSON to a stream. Lines are judged here, so that a bad one is named with file,
 * line and column, and everything before it is in. The node knows an event again by source and id,
 * so a second run after a crash adds nothing twice.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { nodeCrypto } from '../../crypto-node.ts';
import { at, fault, type Fault } from '../../errors.ts';
import { parseJsonEvent } from '../../event/parse-json.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import type { Action } from './command.ts';
import { connect, type Connection } from './connect.ts';
import type { Context } from './context.ts';
import { callOn, streamPath } from './endpoints.ts';
import { startProgress, type Progress } from './progress.ts';
import { findSources, linesOf, type InputLine, type Source } from './publish-input.ts';
import { mapperOf, type Mapper } from './publish-map.ts';
import { Sender, type Outgoing } from './publish-sender.ts';
import { counted, countText } from './table.ts';

export const publish: Action = async (context, [stream = '', ...files], options) => {
  const mapper = mapperOf(options, nodeCrypto);
  if (!mapper.ok) return mapper;
  const sources = await findSources(context, files);
  if (!sources.ok) return sources;
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await streamPath(open, context, stream);
  if (!path.ok) return path;
  const sizes = await logSizes(open, context, path.value);
  if (!sizes.ok) return sizes;
  const total = sources.value.reduce((sum, source) => sum + source.bytes, 0);
  const known = sources.value.every((source) => source.path !== undefined);
  using progress = await startProgress(context.runtime.stderr, stream, known ? total : 0);
  await using run = new PublishRun(context, sizes.value, progress, options.flag('skipInvalid'));
  const partial = options.flag('skipInvalid');
  const upload = open.client.upload({
    method: 'POST',
    path: `${path.value}/events`,
    query: { partial: partial || undefined, ack: options.text('ack') },
    type: 'application/x-ndjson',
    signal: context.signal,
  });
  const sender = new Sender(upload, partial, run);
  const done = await sendAll(context, sources.value, { sender, run, mapper: mapper.value });
  progress[Symbol.dispose]();
  if (!done.ok) {
    if (run.published > 0) {
      await context.note(`${counted(run.published, 'event')} published; the rest is not.`);
    }
    return done;
  }
  await run.report(stream);
  return run.unmet === undefined ? ok(0) : err(run.unmet);
};

interface Work {
  readonly sender: Sender;
  readonly run: PublishRun;
  readonly mapper: Mapper | undefined;
}

async function sendAll(
  context: Context,
  sources: readonly Source[],
  { sender, run, mapper }: Work,
): Promise<Result<void>> {
  for (const source of sources) {
    for await (const lines of linesOf(context, source)) {
      for (const line of lines) {
        const event = judge(line, mapper);
        if (event.ok) sender.push(event.value);
        else {
          const kept = await run.bad(line, event.error);
          if (!kept.ok) {
            // What came before the bad line goes in first; its own fault is then the news.
            const sent = await sender.finish();
            return sent.ok ? kept : sent;
          }
        }
        run.passed(line.bytes?.length ?? 0);
      }
      const sent = await sender.flush();
      if (!sent.ok) return sent;
      if (context.signal.aborted) return err(fault('interrupted', 'interrupted'));
    }
  }
  return sender.finish();
}

/** The event of a line, or what is wrong with it, with its place. */
function judge(line: InputLine, mapper: Mapper | undefined): Result<Outgoing> {
  const { source, line: number, bytes } = line;
  const place = { file: source.name, line: number };
  if (bytes === undefined) {
    const message = `a line of more than ${limits.maxEventTextBytes} bytes`;
    return err(fault('line-too-long', message, { ...place, column: 1 }));
  }
  const mapped = mapper === undefined ? ok(bytes) : mapper(bytes, number);
  if (!mapped.ok) return err(outerPlace(mapped.error, place, true));
  const parsed = parseJsonEvent(mapped.value);
  if (!parsed.ok) return err(outerPlace(parsed.error, place, mapper === undefined));
  return ok({ bytes: mapped.value, file: source.name, line: number });
}

/** Columns in a mapped event are not those of the line, so they are left out there. */
function outerPlace(inner: Fault, place: { file: string; line: number }, columns: boolean): Fault {
  const { pointer, column } = inner.place ?? {};
  const bare: Fault = { code: inner.code, message: inner.message, hint: inner.hint };
  return at(
    {
      ...bare,
      place: {
        ...(columns ? { column: column ?? 1 } : {}),
        ...(pointer === undefined ? {} : { pointer }),
      },
    },
    place,
  );
}

/** Sizes of the stream's logs before: a receipt below them is of an event that was there already. */
async function logSizes(
  connection: Connection,
  context: Context,
  path: string,
): Promise<Result<ReadonlyMap<string, number>>> {
  const view = await callOn(connection, context, { method: 'GET', path });
  if (!view.ok) return view;
  const logs = view.value.list('logs');
  return ok(new Map(logs.map((log) => [log.text('log') ?? '', log.number('size') ?? 0])));
}

/** Counts, the bar, and the file of refused lines. */
class PublishRun implements AsyncDisposable {
  published = 0;
  /** Why an acknowledgement that was asked for was not reached. */
  unmet: Fault | undefined;
  readonly #context: Context;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #progress: Progress;
  readonly #skip: boolean;
  readonly #startedMs: number;
  readonly #rejected = new Map<string, FileHandle>();
  #duplicates = 0;
  #refused = 0;
  #bytes = 0;

  constructor(
    context: Context,
    sizes: ReadonlyMap<string, number>,
    progress: Progress,
    skip: boolean,
  ) {
    this.#context = context;
    this.#sizes = sizes;
    this.#progress = progress;
    this.#skip = skip;
    this.#startedMs = context.runtime.clock.monotonic();
  }

  accepted(log: string, index: number, count: number): void {
    this.published += count;
    if (index < (this.#sizes.get(log) ?? 0)) this.#duplicates += count;
  }

  unacknowledged(reason: Fault): void {
    this.unmet ??= reason;
  }

  passed(bytes: number): void {
    this.#bytes += bytes + 1;
    this.#progress.update(this.#bytes, `${countText(this.published)} events`);
  }

  /** A line that is no event: the end, or with `--skip-invalid` a line of FILE.rejected. */
  async bad(line: InputLine, reason: Fault): Promise<Result<void>> {
    if (!this.#skip) return err(reason);
    return this.#keep(line.source.name, line.bytes, reason);
  }

  async refused(event: Outgoing, reason: Fault): Promise<Result<void>> {
    return this.#keep(event.file, event.bytes, reason);
  }

  async report(stream: string): Promise<void> {
    const { runtime } = this.#context;
    const seconds = Math.max(0.001, (runtime.clock.monotonic() - this.#startedMs) / 1000);
    const added = this.published - this.#duplicates;
    await this.#context.value({
      stream,
      published: added,
      duplicates: this.#duplicates,
      rejected: this.#refused,
      ...(this.#refused > 0 && { rejectedFiles: [...this.#rejected.keys()] }),
      seconds: Number(seconds.toFixed(3)),
    });
    const notes = [
      this.#duplicates > 0 ? `${countText(this.#duplicates)} were there already` : '',
      this.#refused > 0
        ? `${countText(this.#refused)} refused, see ${[...this.#rejected.keys()].join(', ')}`
        : '',
    ].filter((note) => note !== '');
    const tail = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
    await this.#context.say(
      `published ${counted(added, 'event')} to ${stream} in ${seconds.toFixed(1)} s${tail}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#rejected.values()) await file.close();
    this.#rejected.clear();
  }

  async #keep(source: string, bytes: Uint8Array | undefined, reason: Fault): Promise<Result<void>> {
    this.#refused += 1;
    const name = `${source}.rejected`;
    try {
      let file = this.#rejected.get(name);
      file ??= await open(resolve(this.#context.runtime.directory, name), 'w', 0o600);
      this.#rejected.set(name, file);
      // A line that was too long to be kept leaves only its reason on stderr.
      if (bytes !== undefined) await file.appendFile(Buffer.concat([bytes, Buffer.from('\n')]));
    } catch (cause) {
      return err(fileFault('file-unwritable', name, cause));
    }
    const { line, column } = reason.place ?? {};
    const where = [source, line, column].filter((part) => part !== undefined).join(':');
    await this.#context.note(`refused ${where}: ${reason.message} [${reason.code}]`);
    return ok(undefined);
  }
}
