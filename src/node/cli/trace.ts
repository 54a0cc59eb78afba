/**
 * `hw trace`: the lineage of one event, by the running node or over the store of a stopped one.
 * Exits 0, 3 or 4 by the worst verdict of its steps.
 */
import { resolve } from 'node:path';
import type { Signer } from '../../crypto.ts';
import { signerFromSeed } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import { isTraceFormat, traceFormats, type TraceFormat } from '../../lineage/render.ts';
import { err, ok, type Result } from '../../result.ts';
import { asPublicKey } from '../../types.ts';
import { replaceFile } from '../files.ts';
import { SeedReader } from '../home-keys.ts';
import { lockHolder } from '../home-lock.ts';
import type { TraceRequest } from '../evidence-api.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { callNode } from './endpoints.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';
import { withStoppedStreams } from './stopped.ts';

interface Traced {
  readonly verdict: string;
  readonly text: string;
}

export const trace: Action = async (context, [event = ''], options) => {
  const request = requestOf(context, event, options);
  if (!request.ok) return request;
  const holder = await lockHolder(context.paths, context.runtime);
  const traced =
    holder === undefined
      ? await traceStopped(context, options, request.value)
      : await traceOnline(context, request.value);
  if (!traced.ok) return traced;
  const { verdict, text } = traced.value;
  const file = options.text('out');
  const written =
    file === undefined
      ? ok(await context.runtime.stdout.write(text))
      : await replaceFile(resolve(context.runtime.directory, file), text, 0o644);
  if (!written.ok) return written;
  if (file !== undefined) await context.note(`${file}: ${verdict}`);
  return ok(verdict === 'intact' ? 0 : verdict === 'broken' ? 3 : 4);
};

function requestOf(context: Context, event: string, options: Options): Result<TraceRequest> {
  if (options.flag('up') && options.flag('down')) {
    return err(fault('usage', '--up and --down exclude each other', { pointer: '--down' }));
  }
  const consumers = options.flag('consumers');
  if (consumers && options.flag('up')) {
    return err(fault('usage', '--up and --consumers exclude each other', { pointer: '--up' }));
  }
  const depth = options.count('depth');
  if (!depth.ok) return depth;
  const limit = options.count('limit', 1);
  if (!limit.ok) return limit;
  const format = formatOf(context, options);
  if (!format.ok) return format;
  return ok({
    event,
    direction: options.flag('down') || consumers ? 'down' : 'up',
    format: format.value,
    ...(consumers ? { consumers } : {}),
    ...(depth.value === undefined ? {} : { depth: depth.value }),
    ...(limit.value === undefined ? {} : { limit: limit.value }),
  });
}

/** `--json` is `--format json`. */
function formatOf(context: Context, options: Options): Result<TraceFormat> {
  const text = options.text('format') ?? (context.json ? 'json' : 'tree');
  if (!isTraceFormat(text)) {
    const message = `--format is one of ${traceFormats.join(', ')}`;
    return err(fault('usage', message, { pointer: '--format' }));
  }
  if (!context.json || text === 'json' || options.text('out') !== undefined) return ok(text);
  return err(fault('usage', '--json prints JSON; write other formats with --out FILE'));
}

async function traceOnline(context: Context, request: TraceRequest): Promise<Result<Traced>> {
  const query = { ...request };
  const answer = await callNode(context, { method: 'GET', path: '/lineage', query });
  if (!answer.ok) return answer;
  const verdict = answer.value.text('verdict') ?? 'incomplete';
  return ok({ verdict, text: answer.value.text('text') ?? '' });
}

async function traceStopped(
  context: Context,
  options: Options,
  request: TraceRequest,
): Promise<Result<Traced>> {
  const signer = await peerSigner(context, options, request);
  if (!signer.ok) return signer;
  return await withStoppedStreams(
    context,
    options,
    async ({ home, ledger, streams, registries, sealed }) => {
      const { traceEvent } = await import('../core/lineage.ts');
      const { offlineUsage } = await import('../usage/offline-usage.ts');
      const usage = await offlineUsage(home, ledger, registries);
      if (!usage.ok) return usage;
      const { limits } = home.config;
      const named = { ledger, streams, registries, sealed, limits };
      const parts = { ...named, usage: usage.value, signer: signer.value };
      return await traceEvent(parts, request, context.signal);
    },
  );
}

/** The peer's key, opened only where something is to be signed. */
async function peerSigner(
  context: Context,
  options: Options,
  { format }: TraceRequest,
): Promise<Result<Signer>> {
  if (format !== 'intoto') return ok(noSigner);
  const seeds = new SeedReader(context.paths, existingPassphrase(context, options));
  const seed = await seeds.read('peer');
  return seed.ok ? ok(signerFromSeed(seed.value)) : seed;
}

const noSigner: Signer = {
  publicKey: asPublicKey(new Uint8Array(32)),
  sign: () => {
    throw new TypeError('this format is not signed');
  },
};
