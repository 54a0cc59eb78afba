/**
 * What a peer shows to its sisters for the keys of sealed streams that they write: the organisation's own
 * delegation of `/flow/key` to it, as a grant of all of each stream. They are sealed to the organisation's
 * encryption key, so this peer needs a copy of that (`hw key export encryption`).
 */
import { keyCommand } from '../../access/grant.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import type { Hasher } from '../../crypto.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { asTimeMs, type Did, type StreamName } from '../../types.ts';
import type { KeptGrant } from '../access/grant-book.ts';

export function kinGrants(
  hasher: Hasher,
  logs: readonly LogSummary[],
  organisation: Did,
  peer: Did,
  delegation: readonly Uint8Array[],
): readonly KeptGrant[] {
  const last = delegation.at(-1);
  if (last === undefined) return [];
  const id = tokenCid(hasher, last);
  const names = new Set<StreamName>();
  for (const { genesis, createdLocally } of logs) {
    if (createdLocally || genesis?.visibility !== 'sealed') continue;
    if (genesis.owner === organisation) names.add(genesis.name);
  }
  return [...names].map((stream) => ({
    side: 'got',
    since: asTimeMs(0),
    tokens: delegation,
    scope: { command: keyCommand, owner: organisation, holder: peer, id, stream, from: 0 },
  }));
}
