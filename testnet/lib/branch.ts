/**
 * A second peer of an organisation, made as an operator makes it: `hw init --peer-of`, `hw peer enrol`,
 * `hw init --delegation`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** Makes a new home for the stopped `peer`, which then is a peer of the organisation of `first`. */
export async function enrol(peer: Peer, first: Peer): Promise<void> {
  await peer.ask(first.did);
  const answer = `${peer.home}.answer`;
  const request = join(peer.home, 'keys', 'enrolment.request');
  const made = await first.hw(['peer', 'enrol', request, '--write-all', '--for', '1d']);
  writeFileSync(answer, made.expect(0).json.text('answer') ?? '');
  (await peer.hw(['init', '--delegation', answer])).expect(0);
}
