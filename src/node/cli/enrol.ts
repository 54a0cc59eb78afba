/** Another peer of an organisation: `hw init --peer-of`, `hw peer enrol`, `hw init --delegation`. */
import { resolve } from 'node:path';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Signer } from '../../crypto.ts';
import { at, fault } from '../../errors.ts';
import { parseInvite } from '../../gossip/invite.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didKey, parseDid } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { asStreamName, asTimeMs, isStreamName, type PeerId, type StreamName } from '../../types.ts';
import { keepEnrolled } from '../enrolled.ts';
import { askToBePeer } from '../enrolment-home.ts';
import { parseRequest, type PeerRequest } from '../enrolment-text.ts';
import { answerRequest, checkRequest, takeAnswer, type EnrolTerms } from '../enrolment.ts';
import { exists, replaceFile } from '../files.ts';
import { lockHolder, lockHome } from '../home-lock.ts';
import { keyPath, SeedReader } from '../home-keys.ts';
import type { HomeView } from '../home.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callNode } from './endpoints.ts';
import { fileText } from './file-input.ts';
import { secondsOf } from './grant.ts';
import { defaultName, namePattern } from './init.ts';
import { dialable } from './join.ts';
import { keyOf } from './key-option.ts';
import type { Options } from './options.ts';
import { existingPassphrase, newPassphrase } from './passphrase.ts';

/** On the new machine, both steps. */
export const newPeer: Action = (context, args, options) => {
  const [asks, takes] = [options.text('peerOf'), options.text('delegation')];
  if (asks === undefined) return take(context, [takes ?? ''], options);
  if (takes === undefined) return ask(context, [asks], options);
  const message = '--peer-of asks, --delegation takes in the answer: give one of them';
  return Promise.resolve(err(fault('usage', message, { pointer: '--delegation' })));
};

const ask: Action = async (context, [text = ''], options) => {
  const organisation = parseDid(text);
  if (!organisation.ok) return err(at(organisation.error, { pointer: '--peer-of' }));
  const name = options.text('org') ?? defaultName(context);
  if (!namePattern.test(name)) {
    const message = `${JSON.stringify(name)} cannot be the name of an organisation`;
    return err(fault('usage', message, { pointer: '--org' }, 'Use a-z, 0-9, dot and dash.'));
  }
  const passphrase = await newPassphrase(context, options);
  if (!passphrase.ok) return passphrase;
  const asked = await askToBePeer(context.paths.root, {
    organisation: organisation.value,
    name,
    random: context.runtime.random,
    ask: existingPassphrase(context, options),
    ...(passphrase.value === undefined ? {} : { passphrase: passphrase.value }),
  });
  if (!asked.ok) return asked;
  const { request, line, paths } = asked.value;
  const peer = peerIdOf(request);
  await context.value({ home: paths.root, peer, writer: request.writer, request: line });
  await context.say(line);
  await context.note(
    `the home at ${paths.root} asks to be a peer of ${request.organisation}`,
    `  peer     ${peer}`,
    `  request  ${paths.enrolment}`,
    `Next: where the key of the organisation is, hw peer enrol REQUEST --out ANSWER; then here hw init --delegation ANSWER`,
  );
  return ok(0);
};

const take: Action = async (context, [file = ''], options) => {
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const { paths, runtime } = context;
  if (!(await exists(paths.config))) {
    const hint = 'hw init --peer-of DID makes one, and the request that this must answer.';
    const message = `there is no home at ${paths.root}`;
    return err(fault('home-missing', message, { file: paths.config }, hint));
  }
  const locked = await lockHome(paths, runtime);
  if (!locked.ok) return locked;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => locked.value.release());
  const asking = existingPassphrase(context, options);
  const taken = await takeAnswer(paths, runtime, asking, text.value);
  if (!taken.ok) return taken.error.place ? taken : err(at(taken.error, { file }));
  const { answer, writer, encryption } = taken.value;
  const peer = peerIdOf(answer);
  const { organisation, name, bootstrap } = answer;
  await context.value({
    home: paths.root,
    organisation,
    name,
    peer,
    writer,
    encryption,
    bootstrap,
  });
  await context.say(
    `the home at ${paths.root} is a peer of ${name}`,
    `  organisation  ${organisation}`,
    `  peer          ${peer}`,
    `  sealed        ${encryption ? 'opens what is sealed to the organisation' : 'without the encryption key of the organisation'}`,
  );
  if (bootstrap.length === 0) {
    await context.note('It knows no address of the network: hw config set p2p.bootstrap ADDRESS.');
  }
  await context.note('Next: hw up');
  return ok(0);
};

/** Where the organisation's key is; a node of the home may run. */
export const enrol: Action = async (context, [file = ''], options) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const request = parseRequest(nodeCrypto, text.value);
  if (!request.ok) return err(at(request.error, { file }));
  const fits = checkRequest(home.value, request.value);
  if (!fits.ok) return err(at(fits.error, { file }));
  const signer = await organisationSigner(context, options, home.value);
  if (!signer.ok) return signer;
  const terms = await termsOf(context, options, home.value);
  if (!terms.ok) return terms;
  const { runtime, paths } = context;
  const made = await answerRequest(home.value, runtime, signer.value, request.value, terms.value);
  terms.value.encryptionSeed?.fill(0);
  if (!made.ok) return made;
  const { answer, line } = made.value;
  const peer = peerIdOf(request.value);
  // Before it leaves: what nobody here knows of cannot be taken back.
  const kept = await keepEnrolled(paths, peer, answer.tokens);
  if (!kept.ok) return kept;
  const journaled = await tellNode(context, options, peer);
  if (!journaled.ok) return journaled;
  const out = options.text('out');
  if (out !== undefined) {
    const written = await replaceFile(resolve(runtime.directory, out), `${line}\n`, 0o644);
    if (!written.ok) return written;
  }
  const { organisation, bootstrap } = answer;
  const encryption = answer.encryption !== undefined;
  const { writes } = terms.value;
  await context.value({ peer, organisation, writes, encryption, bootstrap, answer: line });
  const lines = [
    `${peer} may be a peer of ${home.value.config.organisation}`,
    `  writes   ${writes === 'all' ? 'any stream' : writes.length === 0 ? 'no stream' : writes.join(', ')}`,
    `  grants   gives and uses them in the name of the organisation`,
    `  sealed   ${encryption ? 'gets the encryption key, sealed to it' : 'does not get the encryption key'}`,
    ...(bootstrap.length > 0
      ? []
      : ['  network  no address is known here: start the node, or set p2p.announce']),
  ];
  if (out === undefined) {
    await context.say(line);
    await context.note(...lines);
  } else await context.say(...lines);
  await context.note(
    `Next: there, hw init --delegation ${out ?? 'ANSWER'}; hw peer revoke ${peer} takes it back`,
  );
  return ok(0);
};

async function organisationSigner(
  context: Context,
  options: Options,
  { identity, paths }: HomeView,
): Promise<Result<Signer>> {
  const given = await keyOf(context, options, identity.organisation);
  if (!given.ok) return given;
  if (given.value !== undefined) return ok(given.value);
  const seeds = new SeedReader(paths, existingPassphrase(context, options));
  const own = await seeds.signer('organisation', didKey(identity.organisation));
  if (own.ok || own.error.code !== 'key-file-missing') return own;
  const hint =
    "The organisation's key is kept elsewhere: bring its file, and name it with --key FILE.";
  return err({ ...own.error, hint });
}

async function termsOf(
  context: Context,
  options: Options,
  home: HomeView,
): Promise<Result<EnrolTerms>> {
  const writes = writesOf(options);
  if (!writes.ok) return writes;
  const seconds = secondsOf(options);
  if (!seconds.ok) return seconds;
  const expires =
    seconds.value === undefined
      ? {}
      : { expires: asTimeMs(context.runtime.clock.now() + seconds.value * 1000) };
  const bootstrap = await addressesOf(context, home);
  if (!bootstrap.ok) return bootstrap;
  const terms = { writes: writes.value, bootstrap: bootstrap.value, ...expires };
  if (!options.flag('encryption')) return ok(terms);
  if (!(await exists(keyPath(home.paths, 'encryption')))) return ok(terms);
  const seeds = new SeedReader(home.paths, existingPassphrase(context, options));
  const seed = await seeds.read('encryption');
  if (seed.ok) return ok({ ...terms, encryptionSeed: seed.value });
  const hint = `${seed.error.hint} Or give --no-encryption: it then opens nothing that is sealed to the organisation.`;
  return err({ ...seed.error, hint });
}

function writesOf(options: Options): Result<'all' | readonly StreamName[]> {
  if (options.flag('writeAll')) return ok('all');
  const names: StreamName[] = [];
  for (const name of options.list('write')) {
    if (!isStreamName(name) || name.startsWith('_')) {
      const message = `${JSON.stringify(name)} is not the name of a stream`;
      return err(fault('bad-name', message, { pointer: '--write' }));
    }
    names.push(asStreamName(name));
  }
  return ok([...new Set(names)]);
}

/** Where this peer is reached, as its node says or as it is configured, and where it finds others. */
async function addressesOf(
  context: Context,
  { config, identity, paths }: HomeView,
): Promise<Result<readonly string[]>> {
  const { listen, announce, bootstrap } = config.p2p;
  if ((await lockHolder(paths, context.runtime)) === undefined) {
    const peer = peerIdFromKey(identity.peerKey);
    const fixed = listen.filter((address) => !/^\/ip[46]\/(?:0\.0\.0\.0|::)\//.test(address));
    const own = (announce.length > 0 ? announce : fixed).map((one) => `${one}/p2p/${peer}`);
    return ok([...new Set([...own, ...bootstrap])]);
  }
  const answer = await callNode(context, { method: 'POST', path: '/network/invites', body: {} });
  if (!answer.ok) return answer.error.code === 'network-none' ? ok([]) : answer;
  const invite = parseInvite(answer.value.text('invite') ?? '', context.runtime.clock.now());
  return invite.ok ? ok([...new Set([...dialable(invite.value), ...bootstrap])]) : invite;
}

/** The running node writes it into the journal. */
async function tellNode(context: Context, options: Options, peer: PeerId): Promise<Result<void>> {
  if ((await lockHolder(context.paths, context.runtime)) === undefined) return ok(undefined);
  const path = `/peers/${encodeURIComponent(peer)}/enrolled`;
  const told = await callNode(context, { method: 'POST', path, body: actor(options) });
  return told.ok ? ok(undefined) : told;
}

function peerIdOf({ peer }: Pick<PeerRequest, 'peer'>): PeerId {
  return peerIdFromKey(didKey(peer));
}
