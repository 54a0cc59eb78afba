/** `hw init`: a home, whole or completed. */
import { nodeCrypto } from '../../crypto-node.ts';
import { didFromKey, didKey } from '../../ids.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { foundNetwork, networkIdText } from '../../gossip/network-document.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { createHome, type CreatedHome } from '../home-create.ts';
import { foundRegistry } from '../found-registry.ts';
import { SeedReader, type AskPassphrase } from '../home-keys.ts';
import { readHome, readNetwork, saveNetwork, type HomeView } from '../home.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { existingPassphrase, newPassphrase } from './passphrase.ts';

/** What an organisation may call itself. */
export const namePattern: RegExp = /^[a-z0-9][a-z0-9.-]{0,62}$/;

export const init: Action = async (context, args, options) => {
  if (options.text('peerOf') !== undefined || options.text('delegation') !== undefined) {
    return (await import('./enrol.ts')).newPeer(context, args, options);
  }
  const made = await makeHome(context, options);
  if (!made.ok) return made;
  if (options.flag('network')) {
    const network = await ensureNetwork(context, options, made.value);
    if (!network.ok) return network;
  }
  const home = await readHome(context.paths.root, context.runtime.environment);
  if (!home.ok) return home;
  await report(context, options, made.value, home.value);
  return ok(0);
};

/** The home at `--home`, made or completed; also what `hw join` does on a fresh one. */
export async function makeHome(context: Context, options: Options): Promise<Result<CreatedHome>> {
  const organisation = options.text('org') ?? defaultName(context);
  if (!namePattern.test(organisation)) {
    const message = `${JSON.stringify(organisation)} cannot be the name of an organisation`;
    return err(fault('usage', message, { pointer: '--org' }, 'Use a-z, 0-9, dot and dash.'));
  }
  const passphrase = await newPassphrase(context, options);
  if (!passphrase.ok) return passphrase;
  const given = passphrase.value;
  const ask: AskPassphrase =
    given === undefined ? existingPassphrase(context, options) : () => Promise.resolve(ok(given));
  const made = await createHome(context.paths.root, {
    organisation,
    random: context.runtime.random,
    ask,
    ...(given === undefined ? {} : { passphrase: given }),
  });
  if (!made.ok) return made;
  const { organisation: signer } = made.value;
  const founded = await foundRegistry(context.paths.root, context.runtime, ask, signer);
  return founded.ok ? made : founded;
}

/**
 * Founds a network where the home is in none. The organisation's key signs it: from the run that
 * made it, or opened again.
 */
async function ensureNetwork(
  context: Context,
  options: Options,
  { paths, organisation, identity }: CreatedHome,
): Promise<Result<void>> {
  const present = await readNetwork(paths);
  if (!present.ok || present.value !== undefined) return present.ok ? ok(undefined) : present;
  const seeds = new SeedReader(paths, existingPassphrase(context, options));
  const signer =
    organisation === undefined
      ? await seeds.signer('organisation', didKey(identity.organisation))
      : ok(organisation);
  if (!signer.ok) return signer;
  const document = foundNetwork(nodeCrypto, signer.value, {
    name: options.text('org') ?? defaultName(context),
    created: context.runtime.clock.now(),
    membership: options.flag('listed') ? 'listed' : 'open',
    members: [],
    bootstrap: [],
    witnesses: [],
  });
  if (!document.ok) return document;
  const { id, wire } = document.value;
  return saveNetwork(paths, { id: networkIdText(id), document: wire });
}

/** The user's own name where it fits the rule of names. */
export function defaultName(context: Context): string {
  const user = (context.runtime.environment['USER'] ?? '').toLowerCase();
  return namePattern.test(user) ? user : 'peer';
}

async function report(
  context: Context,
  options: Options,
  { created, paths }: CreatedHome,
  { config, identity }: HomeView,
): Promise<void> {
  const peer = peerIdFromKey(identity.peerKey);
  await context.value({
    home: paths.root,
    name: config.organisation,
    organisation: identity.organisation,
    peer,
    writer: didFromKey(identity.writerKey),
    api: `http://${config.http.listen}`,
    listen: config.p2p.listen,
    created,
  });
  const isNew = created.includes('config.yaml');
  await context.say(
    `${isNew ? 'made' : 'found'} the home of ${config.organisation} at ${paths.root}`,
    `  organisation  ${identity.organisation}`,
    `  peer          ${peer}`,
    `  api           http://${config.http.listen}`,
  );
  const asked = options.text('org');
  if (asked !== undefined && asked !== config.organisation) {
    await context.note(
      `The name stays ${config.organisation}; hw config set organisation ${asked} changes it.`,
    );
  }
  if (isNew) {
    await context.note(
      `Move recovery.key and organisation.key from ${paths.keys} to two places that are offline: no node needs them.`,
      'Next: hw up',
    );
  }
}
