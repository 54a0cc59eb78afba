/** `hw join`: makes this home, or a fresh one, a member of the network of an invite. */
import { fault } from '../../errors.ts';
import { parseInvite, type Invite } from '../../gossip/invite.ts';
import { networkIdText } from '../../gossip/network-document.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Config } from '../config-schema.ts';
import { setInConfig } from '../config.ts';
import { exists, readText, replaceFile } from '../files.ts';
import { SeedReader } from '../home-keys.ts';
import { readNetwork, saveNetwork, type HomeView } from '../home.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { makeHome } from './init.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';
import { takeHome } from './stopped.ts';

export const join: Action = async (context, [line = ''], options) => {
  const invite = parseInvite(line, context.runtime.clock.now());
  if (!invite.ok) return invite;
  const fresh = !(await exists(context.paths.config));
  const made = fresh ? await makeHome(context, options) : ok(undefined);
  if (!made.ok) return made;
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  await using own = taken.value;
  const joined = await joinNetwork(context, own.home, invite.value, options);
  if (!joined.ok) return joined;
  const network = networkIdText(invite.value.network);
  const { inviter } = invite.value;
  const { identity } = own.home;
  const alias = joined.value;
  await context.value({ network, inviter, alias, organisation: identity.organisation, fresh });
  await context.say(
    `joined the network ${network}`,
    `  invited by    ${alias} (${inviter})`,
    `  organisation  ${identity.organisation}`,
  );
  await context.note('Next: hw up');
  return ok(0);
};

/** The alias that the inviter has here from now on. */
async function joinNetwork(
  context: Context,
  home: HomeView,
  invite: Invite,
  options: Options,
): Promise<Result<string>> {
  const present = await readNetwork(home.paths);
  if (!present.ok) return present;
  const id = networkIdText(invite.network);
  const moving = present.value !== undefined && present.value.id !== id;
  if (moving && !options.flag('leave')) {
    const streams = await ownStreams(context, home, options);
    if (!streams.ok) return streams;
    if (streams.value > 0) return err(hasStreams(streams.value));
  }
  const alias = aliasFor(home.config, invite);
  const bootstrap = new Set([...(moving ? [] : home.config.p2p.bootstrap), ...dialable(invite)]);
  const aliases = { ...home.config.aliases, [alias]: invite.inviter };
  const config = await readText(home.paths.config);
  if (!config.ok) return config;
  const file = home.paths.config;
  const first = setInConfig(config.value, file, 'p2p.bootstrap', [...bootstrap]);
  if (!first.ok) return first;
  const second = setInConfig(first.value, file, 'aliases', aliases);
  if (!second.ok) return second;
  const written = await replaceFile(file, second.value);
  if (!written.ok) return written;
  // Last, so that a home that says it is in the network also knows the way there.
  const same = present.value !== undefined && !moving;
  const saved = same ? ok(undefined) : await saveNetwork(home.paths, { id });
  return saved.ok ? ok(alias) : saved;
}

function hasStreams(count: number): ReturnType<typeof fault> {
  return fault(
    'network-has-streams',
    `this home has ${count} stream(s) of its own in another network`,
    undefined,
    'Join with another --home, or leave that network with --leave.',
  );
}

/** How many logs of its own this home has published; a store that was never used has none. */
async function ownStreams(
  context: Context,
  home: HomeView,
  options: Options,
): Promise<Result<number>> {
  if (!(await exists(`${home.paths.store}/CURRENT`))) return ok(0);
  const ask = existingPassphrase(context, options);
  const secret = await new SeedReader(home.paths, ask).read('node');
  if (!secret.ok) return secret;
  const { openHomeLedger } = await import('../open-ledger.ts');
  const parts = { ...home, keys: { nodeSecret: secret.value } };
  const opened = await openHomeLedger(parts, context.runtime);
  if (!opened.ok) return opened;
  await using ledger = opened.value;
  const own = ledger
    .logs()
    .filter(
      ({ createdLocally, genesis }) => createdLocally && genesis?.name.startsWith('_') === false,
    );
  return ok(own.length);
}

/** The inviter's name for itself, with a number where that name means somebody else here. */
function aliasFor({ aliases }: Config, { name, inviter }: Invite): string {
  const known = Object.entries(aliases).find(([, did]) => did === inviter);
  if (known !== undefined) return known[0];
  for (let i = 1; ; i++) {
    const alias = i === 1 ? name : `${name.slice(0, 58)}-${i}`;
    if (!Object.hasOwn(aliases, alias)) return alias;
  }
}

/** Addresses that name their peer; a bare one is completed where there is only one peer. */
export function dialable({ addresses, peers }: Invite): readonly string[] {
  const [only, ...others] = peers;
  return addresses.flatMap((address) => {
    if (/\/p2p\/[^/]+$/.test(address)) return [address];
    return only === undefined || others.length > 0 ? [] : [`${address}/p2p/${only}`];
  });
}
