/** `hw key token` for others: `--scope metrics`, `--admin DID`, and `--request` to use what was given. */
import { parseContainer } from '../../access/ucan-container.ts';
import type { Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import { didFromKey, didKey, parseDid } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type Did } from '../../types.ts';
import { mintAdminDelegation, mintBearer, readPowers, type Powers } from '../admin-tokens.ts';
import { exists } from '../files.ts';
import type { HomeView } from '../home.ts';
import { keyPath, SeedReader } from '../home-keys.ts';
import { adminCommands, adminRoot, commandOf, type AdminCommand } from '../http/entry-points.ts';
import { makeMetricsToken } from '../metrics-token.ts';
import { nearest } from '../nearest.ts';
import { durationMs } from '../duration.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { fileText } from './file-input.ts';
import { keyOf } from './key-option.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';

/** A bearer lives so long: time enough to type, and little for whoever finds it. */
const bearerSeconds = 60;

export const adminToken: Action = async (context, _args, options) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  if (options.text('request') !== undefined) return bearer(context, home.value, options);
  if (options.text('admin') !== undefined) return delegate(context, home.value, options);
  if (options.text('scope') !== 'metrics') {
    return err(usage('--scope', 'without --admin only metrics has a token of its own'));
  }
  const { random } = context.runtime;
  const token = await makeMetricsToken(context.paths, random, options.flag('new'));
  if (!token.ok) return token;
  await context.value({ token: token.value, scope: 'metrics', file: context.paths.metricsToken });
  await context.say(token.value);
  return ok(0);
};

async function delegate(
  context: Context,
  home: HomeView,
  options: Options,
): Promise<Result<number>> {
  const audience = parseDid(options.text('admin') ?? '');
  if (!audience.ok) return err(usage('--admin', 'takes a did:key:z6Mk…'));
  const command = scopeOf(options);
  if (!command.ok) return command;
  const lifeMs = durationMs(options.text('for') ?? '30d');
  if (lifeMs === undefined) {
    return err(usage('--for', 'takes a duration such as 90s, 15m, 12h, 30d or 8w'));
  }
  const seeds = new SeedReader(context.paths, existingPassphrase(context, options));
  const { organisation, peerKey } = home.identity;
  const elsewhere = await keyOf(context, options, organisation);
  if (!elsewhere.ok) return elsewhere;
  const signer =
    elsewhere.value === undefined
      ? await seeds.signer('organisation', didKey(organisation))
      : ok(elsewhere.value);
  if (!signer.ok) return err(keptElsewhere(signer.error));
  const { clock, random } = context.runtime;
  const expires = asTimeMs(clock.now() + lifeMs);
  const node = didFromKey(peerKey);
  const terms = { audience: audience.value, command: command.value, node, expires };
  const delegation = mintAdminDelegation(signer.value, random, terms);
  await context.value({ delegation, ...terms });
  await context.say(delegation);
  await context.note(`${command.value} of ${node} for ${audience.value}: give them this text.`);
  return ok(0);
}

function keptElsewhere(problem: Fault): Fault {
  if (problem.code !== 'key-file-missing') return problem;
  const hint = "The organisation's key is kept elsewhere: bring its file, name it with --key FILE.";
  return { ...problem, hint };
}

async function bearer(context: Context, home: HomeView, options: Options): Promise<Result<number>> {
  const asked = /^(GET|POST|PUT|PATCH|DELETE) (\/\S*)$/.exec(options.text('request') ?? '');
  const [, method = '', target = ''] = asked ?? [];
  if (asked === null)
    return err(usage('--request', "takes 'METHOD /path', for example 'GET /status'"));
  const powers = await powersOf(context, home, options);
  if (!powers.ok) return powers;
  const node = parseDid(options.text('node') ?? powers.value.node ?? '');
  if (!node.ok) return err(usage('--node', 'takes the did:key of the peer that is asked'));
  const command =
    options.text('scope') === undefined ? ok(commandOf(method, target)) : scopeOf(options);
  if (!command.ok) return command;
  const signer = await holder(context, home, options, powers.value.holder);
  if (!signer.ok) return signer;
  const { clock, random } = context.runtime;
  const text = mintBearer(signer.value, random, {
    powers: powers.value,
    node: node.value,
    command: command.value,
    method,
    target,
    now: clock.now(),
    seconds: bearerSeconds,
  });
  await context.value({ bearer: text, command: command.value, seconds: bearerSeconds });
  await context.say(text);
  return ok(0);
}

/** What was delegated; without a delegation the organisation of this home acts for itself. */
async function powersOf(
  context: Context,
  { identity }: HomeView,
  options: Options,
): Promise<Result<Powers>> {
  const file = options.text('delegation');
  if (file === undefined) {
    const { organisation } = identity;
    const node = didFromKey(identity.peerKey);
    return ok({ tokens: [], subject: organisation, holder: organisation, node });
  }
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const tokens = parseContainer(text.value.trim());
  return tokens.ok ? readPowers(tokens.value) : tokens;
}

/** The key of this home that the delegation was made out to. */
async function holder(
  context: Context,
  { identity }: HomeView,
  options: Options,
  did: Did,
): Promise<Result<Signer>> {
  const seeds = new SeedReader(context.paths, existingPassphrase(context, options));
  if (did === didFromKey(identity.peerKey)) return seeds.signer('peer', identity.peerKey);
  if (did === identity.organisation && (await exists(keyPath(context.paths, 'organisation')))) {
    return seeds.signer('organisation', didKey(did));
  }
  return err(fault('ucan-audience', `the delegation is for ${did}, whose key is not here`));
}

function scopeOf(options: Options): Result<AdminCommand> {
  const scope = options.text('scope');
  if (scope === undefined || scope === 'all') return ok(adminRoot);
  const found = Object.entries(adminCommands).find(([name]) => name === scope);
  if (found !== undefined) return ok(found[1]);
  const names = ['all', ...Object.keys(adminCommands)];
  const suggestion = nearest(scope, names);
  const hint =
    suggestion === undefined ? `One of ${names.join(', ')}.` : `Did you mean ${suggestion}?`;
  return err(fault('usage', `there is no scope ${scope}`, { pointer: '--scope' }, hint));
}

function usage(pointer: string, what: string): Fault {
  return fault('usage', `${pointer} ${what}`, { pointer });
}
