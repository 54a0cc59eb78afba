/** The last step of a node's start, once the network and the registries are there. */
import { toBase64url } from '../../bytes.ts';
import type { Fault } from '../../errors.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didFromKey } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { keyElsewhere } from '../../ledger/writer-key.ts';
import { limits } from '../../limits.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { Home } from '../home.ts';
import { logsOf } from './cards.ts';
import type { ControlState } from './control-state.ts';
import type { Follows } from './follows.ts';
import { boundJournal } from './retention.ts';
import type { OwnLogs } from './own-logs.ts';
import type { Registries } from './registries.ts';
import type { RegistryFeed } from './registry-feed.ts';
import { namesRegistry } from './registry-pins.ts';
import type { Streams } from './streams.ts';

export interface Settling {
  readonly home: Home;
  readonly ledger: Ledger;
  readonly control: ControlState;
  readonly ownLogs: OwnLogs;
  readonly registries: Registries;
  readonly streams: Streams;
  readonly follows: Follows;
  readonly feed: RegistryFeed;
  /** Where this peer can be dialled. */
  readonly addresses: readonly string[];
  readonly warn: (subject: string, problem: Fault) => void;
  /** Takes work that goes on after the start. */
  readonly later: (work: Promise<unknown>) => void;
}

/** Mends half-made streams, pauses what was paused, says where we are, follows what is followed. */
export async function settle(node: Settling): Promise<Result<void>> {
  const { ledger, ownLogs, follows, feed, warn } = node;
  // A registry that waits for a word of others must not hold up the start.
  const mended = ownLogs.registry()?.state === 'waiting' ? mendLater(node) : await mend(node);
  // A clock that is not trusted, a key that is elsewhere: no reason to serve no reads.
  if (!mended.ok) warn('registry', mended.error);
  pause(node);
  for (const problem of ledger.warnings()) warn('store', problem);
  for (const { logId } of ownLogs.keyless) warn(`hw:${logId}`, keyElsewhere());
  await feed.settled();
  await follows.start();
  ledger.retention.start();
  const bounded = boundJournal(ledger, ownLogs, node.home.config.limits);
  node.later(bounded.then((done) => (done.ok ? undefined : warn('_journal', done.error))));
  return ok(undefined);
}

async function mend(node: Settling): Promise<Result<void>> {
  const { home, ownLogs, registries } = node;
  const owner = home.identity.organisation;
  const repaired = await ownLogs.repair(
    (name, logs = []) => {
      const card = registries.card({ owner, name });
      return card !== undefined && logs.every((log) => logsOf(card).includes(log));
    },
    (name) => registries.card({ owner, name })?.description,
  );
  if (!repaired.ok) return repaired;
  await announce(node);
  return ok(undefined);
}

/** As soon as the registry signs again, with all that came back to it from peers. */
function mendLater(node: Settling): Result<void> {
  const listening = node.ledger.confirming.listen(() => {
    if (node.ownLogs.registry()?.state !== 'open') return;
    listening[Symbol.dispose]();
    const work = node.feed.settled().then(() => mend(node));
    node.later(work.then((done) => (done.ok ? undefined : node.warn('registry', done.error))));
  });
  return ok(undefined);
}

/**
 * To be called now and then: a stream that was made or recovered while the registry could not be
 * signed (it waited, the clock was off, its key was elsewhere) is announced as soon as it can be.
 */
export async function mendAgain(node: Settling): Promise<void> {
  const { ownLogs, feed } = node;
  const registry = ownLogs.registry();
  if (registry?.state !== 'open' && !ownLogs.isBranch) return;
  if (ownLogs.keyless.some(({ logId }) => logId === registry?.logId)) return;
  await feed.settled();
  // What hinders it was told before, and is not told every few seconds.
  await mend({ ...node, warn: () => undefined });
}

function pause({ control, streams, ledger }: Settling): void {
  const paused = new Set(control.all('pausedStreams'));
  for (const view of streams.list(false)) {
    if (view.own && paused.has(view.id)) for (const { log } of view.logs) ledger.pause(log);
  }
}

/** The profile in our registry, where it is not there as it is now. */
async function announce({ home, registries, ownLogs, addresses, warn }: Settling): Promise<void> {
  // The profile is that of the peer that writes the registry.
  if (ownLogs.isBranch) return;
  const owner = home.identity.organisation;
  const { freshness } = home.keys;
  const { encryptionKey: encryption } = home.identity;
  const profile = {
    owner,
    name: home.config.organisation,
    peers: [
      {
        id: peerIdFromKey(home.identity.peerKey),
        addresses: addresses.slice(0, limits.maxCardAddresses),
      },
    ],
    ...(freshness === undefined ? {} : { freshness: didFromKey(freshness.publicKey) }),
    ...(encryption === undefined ? {} : { encryption }),
    ...namingOf(home, ownLogs.registryId()),
  };
  if (JSON.stringify(registries.profile(owner)) === JSON.stringify(profile)) return;
  const announced = await ownLogs.announceProfile(profile);
  // A clock that is not trusted, or a full disk, must not keep the node from serving reads.
  if (!announced.ok) warn('profile', announced.error);
}

/** The organisation's own word that this is its registry, where its delegation has it. */
function namingOf(
  { peerDelegation }: Home,
  registry: LogId | undefined,
): { readonly delegation?: string } {
  const [token, ...more] = peerDelegation;
  if (token === undefined || more.length > 0 || registry === undefined) return {};
  return namesRegistry(token, registry) === undefined ? {} : { delegation: toBase64url(token) };
}
