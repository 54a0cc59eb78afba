/** What tests read of a running node: its journal, its registry, the ids of a stream. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { didFromKey } from '../../src/ids.ts';
import { asPublicKey } from '../../src/types.ts';
import { dig, lines, type Client } from './http/client.ts';
import type { TestNode } from './running.ts';

/** The entries of the node's journal as [type, subject, data]. */
export async function journal({ client }: TestNode, peer: string): Promise<unknown[][]> {
  const answer = await client.get(`/streams/${peer}/_journal/events`);
  return lines(answer.text).map((one) => [dig(one, 'type'), dig(one, 'subject'), dig(one, 'data')]);
}

export async function peerDid(folder: string): Promise<string> {
  const identity: unknown = JSON.parse(await readFile(join(folder, 'keys/identity.json'), 'utf8'));
  return didFromKey(asPublicKey(Buffer.from(String(dig(identity, 'peerKey')), 'hex')));
}

export async function ids(client: Client, from: string): Promise<unknown[]> {
  return lines((await client.get(from)).text).map((one) => dig(one, 'id'));
}

/** The cards and profiles in the registry of this home. */
export async function registry({ client, organisation }: TestNode): Promise<unknown[][]> {
  const answer = await client.get(`/streams/${organisation}/_registry/events`);
  return lines(answer.text).map((one) => [dig(one, 'type'), dig(one, 'subject')]);
}
