/**
 * What one consumer has had of one log, in one way, by one peer and under one grant. A row of the table
 * `usage`; it says what the journal says of it, so that the journal may be forgotten:
 *
 *   name    SHA-256 of the dag-cbor list of what it is about
 *   value   dag-cbor {about: [logId, owner, stream, way, organisation, peer, grant], pieces:
 *           [[from, to, count, bytes, first, last, gaps], …]}; times in ms
 */
import { decodeCborMap, encodeCbor, type CborValue } from '../../cbor.ts';
import type { Hasher } from '../../crypto.ts';
import { deliveryWays, type DeliveryWay } from '../../gossip/usage-port.ts';
import { parseDid, parseLogId } from '../../ids.ts';
import {
  asStreamName,
  asTimeMs,
  isStreamName,
  type Did,
  type LogId,
  type StreamName,
} from '../../types.ts';
import { Pieces, type Piece } from './pieces.ts';

export interface About {
  readonly logId: LogId;
  /** Of the stream. */
  readonly owner: Did;
  readonly stream: StreamName;
  readonly way: DeliveryWay;
  /** Absent: those for whom there was no room. */
  readonly organisation?: Did;
  readonly peer?: string;
  /** CID of the grant of ours that it was read by. */
  readonly grant?: string;
}

export class Account {
  readonly about: About;
  /** As journaled. */
  readonly kept: Pieces;
  /** Not yet. */
  readonly open: Pieces;
  /** On its way into the journal. */
  writing: readonly Piece[] = [];

  constructor(about: About, max: number) {
    this.about = about;
    this.kept = new Pieces(max);
    this.open = new Pieces(max);
  }

  /** All of it, journaled or not. */
  all(max: number): readonly Piece[] {
    return new Pieces(max, [...this.kept.list(), ...this.writing, ...this.open.list()]).list();
  }
}

/** Under which an account is kept in memory. */
export function nameOf(about: About): string {
  return aboutRow(about).join(' ');
}

export function rowName(hasher: Hasher, about: About): Uint8Array {
  return hasher.sha256(encodeCbor([...aboutRow(about)]));
}

export function encodeRow({ about, kept }: Account): Uint8Array {
  return encodeCbor({
    about: [...aboutRow(about)],
    pieces: kept
      .list()
      .map(({ from, to, count, bytes, first, last, gaps }) => [
        from,
        to,
        count,
        bytes,
        first,
        last,
        gaps,
      ]),
  });
}

/** Undefined where the row is not one of ours. */
export function decodeRow(value: Uint8Array, max: number): Account | undefined {
  const row = decodeCborMap(value);
  if (!row.ok) return undefined;
  const { about, pieces } = row.value;
  const read = readAbout(about);
  if (read === undefined || !Array.isArray(pieces)) return undefined;
  const account = new Account(read, max);
  for (const one of pieces) {
    const piece = readPiece(one);
    if (piece === undefined) return undefined;
    account.kept.add(piece);
  }
  return account;
}

function aboutRow({
  logId,
  owner,
  stream,
  way,
  organisation,
  peer,
  grant,
}: About): readonly string[] {
  return [logId, owner, stream, way, organisation ?? '', peer ?? '', grant ?? ''];
}

function readAbout(row: CborValue | undefined): About | undefined {
  if (!Array.isArray(row) || row.length !== 7) return undefined;
  const texts = row.map((one: CborValue) => (typeof one === 'string' ? one : ''));
  const [log = '', owner = '', stream = '', way = '', organisation = '', peer, grant] = texts;
  return aboutOf({ log, owner, stream, way, organisation, peer, grant });
}

/** From texts, as a row or a journal entry has them; undefined where they make no sense. */
export function aboutOf(texts: {
  readonly log: string;
  readonly owner: string;
  readonly stream: string;
  readonly way: string;
  readonly organisation?: string | undefined;
  readonly peer?: string | undefined;
  readonly grant?: string | undefined;
}): About | undefined {
  const { peer = '', grant = '', organisation: consumer = '', stream } = texts;
  const [logId, owner] = [parseLogId(texts.log), parseDid(texts.owner)];
  const way = deliveryWays.find((one) => one === texts.way);
  if (!logId.ok || !owner.ok || way === undefined || !isStreamName(stream)) return undefined;
  const organisation = parseDid(consumer);
  if (consumer !== '' && !organisation.ok) return undefined;
  return {
    logId: logId.value,
    owner: owner.value,
    stream: asStreamName(stream),
    way,
    ...(organisation.ok ? { organisation: organisation.value } : {}),
    ...(peer === '' ? {} : { peer }),
    ...(grant === '' ? {} : { grant }),
  };
}

function readPiece(row: CborValue): Piece | undefined {
  if (!Array.isArray(row)) return undefined;
  const gaps = row[6] === true;
  const numbers = row.filter((one: CborValue) => typeof one === 'number');
  const [from, to, count, bytes, first, last] = numbers;
  if (from === undefined || to === undefined || count === undefined) return undefined;
  if (bytes === undefined || first === undefined || last === undefined) return undefined;
  return { from, to, count, bytes, first: asTimeMs(first), last: asTimeMs(last), gaps };
}
