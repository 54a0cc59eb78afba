/** Deliveries as they go over the wire: NDJSON lines, enveloped lines, Server-Sent Events. */
import { concat, utf8 } from '../../bytes.ts';
import type { Fault } from '../../errors.ts';
import { contentTypes, renderJson, renderLine } from '../../event/render.ts';
import { formatReference } from '../../ids.ts';
import { formatTime } from '../../time.ts';
import { asLogIndex } from '../../types.ts';
import type { Delivery } from '../node-api.ts';
import { problemOf } from './problem.ts';

export interface Format {
  readonly type: string;
  render(item: Delivery): readonly Uint8Array[];
  error(problem: Fault): Uint8Array;
  /** Said between events, to a reader who goes on: no event. */
  notice(problem: Fault): Uint8Array;
  /** Sent while nothing else is, or nothing. */
  readonly idle: Uint8Array | undefined;
}

const lineEnd = utf8('\n');
const envelopeEnd = utf8('}\n');
const messageEnd = utf8('\n\n');

const errorLine = (problem: Fault): Uint8Array =>
  utf8(`${JSON.stringify({ error: problemOf(problem) })}\n`);

const noticeLine = (problem: Fault): Uint8Array =>
  utf8(`${JSON.stringify({ notice: problemOf(problem) })}\n`);

/** One event a line. */
export const lineFormat: Format = {
  type: contentTypes.ndjson,
  render: (item) => [lineOf(item), lineEnd],
  error: errorLine,
  notice: noticeLine,
  idle: undefined,
};

/** operations.md "Shapes": {"log","index","recordedTime","event"}. */
export const envelopeFormat: Format = {
  type: contentTypes.ndjson,
  render: ({ log, index, recordedTime, event, sealed }) => {
    const head = `{"log":"${log}","index":${index},"recordedTime":"${formatTime(recordedTime)}",`;
    if (event !== undefined) return [utf8(`${head}"event":`), renderLine(event), envelopeEnd];
    return [utf8(`${head}"sealed":${JSON.stringify(sealed)}}\n`)];
  },
  error: errorLine,
  notice: noticeLine,
  idle: undefined,
};

/** The id is the position token after the event, so `Last-Event-ID` goes on behind it. */
export const sseFormat: Format = {
  type: 'text/event-stream',
  render: (item) => {
    const kind = item.event === undefined ? 'event: sealed\n' : '';
    return [utf8(`id: ${item.position()}\n${kind}data: `), lineOf(item), messageEnd];
  },
  error: (problem) => utf8(`event: error\ndata: ${JSON.stringify(problemOf(problem))}\n\n`),
  notice: (problem) => utf8(`event: notice\ndata: ${JSON.stringify(problemOf(problem))}\n\n`),
  idle: utf8(': alive\n\n'),
};

/** All deliveries of a batch in one piece. */
export function renderAll(format: Format, batch: readonly Delivery[]): Uint8Array {
  return concat(...batch.flatMap((item) => format.render(item)));
}

/**
 * The event on one line with its `hwref`. An entry that is sealed for us is no event: like all that is
 * none it begins with an object, {"sealed":{"epoch","reason"},"hwref","recordedTime"}.
 */
export function lineOf(item: Delivery): Uint8Array {
  const { event } = item;
  return event === undefined ? sealedText(item) : renderLine(event, { hwref: referenceOf(item) });
}

function sealedText(item: Delivery): Uint8Array {
  const { sealed, recordedTime } = item;
  const about = { hwref: referenceOf(item), recordedTime: formatTime(recordedTime) };
  return utf8(JSON.stringify({ sealed, ...about }));
}

/** A JSON array of events, in the order of the batch. */
export function renderArray(items: readonly Delivery[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const item of items) {
    const { event } = item;
    parts.push(parts.length === 0 ? arrayBegin : arrayNext);
    parts.push(
      event === undefined ? sealedText(item) : renderJson(event, { hwref: referenceOf(item) }),
    );
  }
  return concat(...(parts.length === 0 ? [arrayBegin] : parts), arrayEnd);
}

const arrayBegin = utf8('[');
const arrayNext = utf8(',');
const arrayEnd = utf8(']');

/** Bytes of attributes and data. */
export function contentBytes({ event }: Pick<Delivery, 'event'>): number {
  return event === undefined ? 0 : event.attributes.length + event.data.length;
}

export function referenceOf({ log, index }: Pick<Delivery, 'log' | 'index'>): string {
  return formatReference({ logId: log, from: index, to: asLogIndex(index + 1) });
}
