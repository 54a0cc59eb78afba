/**
 * What an operator does with grants: give, take, show, revoke, ask for, answer. Every step is in the
 * journal.
 */
import {
  keyCommand,
  mintGrant,
  orderGrant,
  readCommand,
  type Grant,
  type GrantCommand,
  type GrantScope,
} from '../../access/grant.ts';
import { mintRevocation } from '../../access/revoke.ts';
import { parseContainer } from '../../access/ucan-container.ts';
import { readRevocation } from '../../access/ucan-revocations.ts';
import { toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import { didFromKey } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { asStreamName, asTimeMs, isStreamName, type Did, type StreamName } from '../../types.ts';
import type { Journal } from '../core/journal.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import type {
  GrantInput,
  GrantPage,
  GrantQuery,
  GrantsApi,
  GrantText,
  GrantView,
  RequestView,
} from '../grants-api.ts';
import type { Home } from '../home.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { Runtime } from '../runtime.ts';
import type { AccessGate } from './access-gate.ts';
import type { Asking } from './asking.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';
import { listGrants } from './grant-list.ts';
import type { Incoming } from './incoming.ts';
import type { Renewal } from './renewal.ts';
import type { KeptRequest, RequestBook } from './request-book.ts';
import { Resale } from './resale.ts';
import type { Recording } from './recording.ts';
import type { RevocationBook } from './revocation-book.ts';
import type { Views } from './views.ts';

export interface DeskParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly registries: Registries;
  readonly ownLogs: OwnLogs;
  readonly journal: Journal;
  readonly grants: GrantBook;
  readonly requests: RequestBook;
  readonly revocations: RevocationBook;
  readonly recording: () => Pick<Recording, 'look'>;
  readonly asking: Asking;
  readonly incoming: Incoming;
  readonly renewal: Renewal;
  readonly views: Views;
  readonly gate: () => AccessGate;
  /** Undefined without a network. */
  readonly exchange: () => AccessExchange | undefined;
  /** What a grant of a stream of ours is for; undefined for one that needs none, and where there is none. */
  readonly commandOf: (stream: string) => GrantCommand | undefined;
  /**
   * Resolves when a sealed stream has keys that a revoked reader has not; with a time (ms, 0: not by the
   * clock) where that has to wait until then.
   */
  readonly generations: (stream: StreamName) => Promise<number | undefined>;
  /** A peer could not be told of a revocation: it is in the registry all the same. */
  readonly warn: (subject: string, problem: Fault) => void;
}

export class AccessDesk implements GrantsApi {
  readonly #parts: DeskParts;
  readonly #views: Views;
  readonly #resale: Resale;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#views = parts.views;
    const { home, runtime, grants, gate } = parts;
    this.#resale = new Resale({ signer: home.keys.peer, host: runtime, grants, gate });
  }

  list(query?: GrantQuery): Result<GrantPage> {
    return listGrants(this.#parts, this.#views, query);
  }

  show(id: string): Result<GrantText> {
    const kept = this.#parts.grants.find(id);
    return kept.ok ? ok(this.#views.text(kept.value)) : kept;
  }

  async create(stream: StreamView, input: GrantInput, actor: Actor): Promise<Result<GrantText>> {
    const audience = this.#parts.registries.organisation(input.to);
    if (!audience.ok) return audience;
    const own = stream.owner === this.#parts.ownLogs.organisation;
    if (stream.visibility === 'public') {
      return err(fault('grant-needless', `${stream.display} is ${stream.visibility}`));
    }
    if (stream.visibility === 'sealed' && input.fields === 'attributes') {
      return err(fault('fields-unsupported', `${stream.display} is sealed: keys open all`));
    }
    const kept = own
      ? await this.#mint(stream.name, audience.value, input)
      : await this.#resale.part(stream, audience.value, input);
    if (!kept.ok) return kept;
    this.#record('grant.create', stream.display, actor, this.#views.grant(kept.value));
    return ok(this.#views.text(kept.value));
  }

  async accept(text: string, actor: Actor): Promise<Result<GrantView>> {
    const tokens = parseContainer(text.trim());
    if (!tokens.ok) return tokens;
    const kept = await this.#parts.asking.keep(tokens.value);
    if (!kept.ok) return kept;
    const { owner, stream } = kept.value.scope;
    this.#record(
      'grant.import',
      this.#views.nameOf(owner, stream),
      actor,
      this.#views.grant(kept.value),
    );
    await this.#parts.asking.fetchCard(kept.value);
    return ok(this.#views.grant(kept.value));
  }

  async revoke(id: string, actor: Actor): Promise<Result<GrantView>> {
    const { runtime, revocations, recording, exchange } = this.#parts;
    const kept = this.#parts.grants.find(id);
    if (!kept.ok) return kept;
    const grant = this.#parts.gate().open(kept.value);
    if (!grant.ok) return grant;
    const signer = this.#issuerOf(grant.value);
    if (!signer.ok) return signer;
    const { id: ucan, owner, stream } = kept.value.scope;
    const now = runtime.clock.now();
    const told = { id: ucan, path: grant.value.cids, now };
    const token = mintRevocation(signer.value, runtime.random, told);
    const revocation = readRevocation(nodeCrypto, token);
    if (!revocation.ok) return revocation;
    const taken = await revocations.take(token, revocation.value);
    if (!taken.ok) return taken;
    this.#record(
      'grant.revoke',
      this.#views.nameOf(owner, stream),
      actor,
      this.#views.grant(kept.value),
    );
    if (taken.value) {
      const announced = await exchange()?.announce(token);
      if (announced?.ok === false) this.#parts.warn('alerts', announced.error);
      // Peers that were not there read it in the registry.
      await recording().look();
    }
    const view = this.#views.grant(kept.value);
    if (kept.value.side === 'got') return ok(view);
    // What is sealed from now on is sealed with keys that nobody has been given.
    const keysUntil = await this.#parts.generations(stream);
    return ok(keysUntil === undefined ? view : { ...view, keysUntil: asTimeMs(keysUntil) });
  }

  followable(target: string): Result<void> {
    const key = this.#parts.registries.parse(target);
    const best = key.ok ? this.#parts.gate().best(key.value) : undefined;
    if (best?.scope.fields !== 'attributes') return ok(undefined);
    return err(fault('fields-unsupported', `what we hold of ${target} is for attributes alone`));
  }

  async handOn(id: string, peer: string, actor: Actor): Promise<Result<GrantText>> {
    const kept = await this.#resale.whole(id, peer);
    if (!kept.ok) return kept;
    const { owner, stream } = kept.value.scope;
    const subject = this.#views.nameOf(owner, stream);
    this.#record('grant.hand-on', subject, actor, this.#views.grant(kept.value));
    return ok(this.#views.text(kept.value));
  }

  async renew(
    id: string,
    input: Parameters<GrantsApi['renew']>[1],
    actor: Actor,
  ): Promise<Result<RequestView>> {
    const { grants, renewal, requests, journal } = this.#parts;
    const kept = grants.find(id);
    if (!kept.ok) return kept;
    const made = await renewal.renew(kept.value, input);
    if (!made.ok) return made;
    const view = this.#views.request(requests.get('out', made.value.id) ?? made.value);
    const data = { grant: kept.value.scope.id, request: made.value.id };
    journal.did('grant.renew', view.stream, actor, data);
    return ok(view);
  }

  async request(
    stream: string,
    { purpose, seconds }: { readonly purpose: string; readonly seconds: number },
    actor: Actor,
  ): Promise<Result<RequestView>> {
    const { registries, requests, runtime, home } = this.#parts;
    const key = registries.parse(stream);
    if (!key.ok) return key;
    const { organisation } = home.identity;
    if (key.value.owner === organisation) {
      return err(fault('grant-needless', `${stream} is a stream of this organisation`));
    }
    const audience = home.keys.organisation === undefined ? this.#peer() : organisation;
    const kept = await requests.put({
      side: 'out',
      id: toHex(runtime.random.bytes(16)),
      owner: key.value.owner,
      stream: key.value.name,
      purpose,
      seconds,
      organisation,
      audience,
      since: runtime.clock.now(),
      state: 'pending',
      reason: '',
      grant: '',
      grantId: '',
      renews: '',
    });
    if (!kept.ok) return kept;
    this.#parts.journal.did('grant.request', stream, actor, { purpose, request: kept.value.id });
    await this.#parts.asking.ask(kept.value);
    return ok(this.#views.request(requests.get('out', kept.value.id) ?? kept.value));
  }

  async withdraw(id: string, actor: Actor): Promise<Result<RequestView>> {
    const { requests, exchange } = this.#parts;
    const found = requests.find('out', id);
    if (!found.ok) return found;
    if (found.value.state !== 'pending') return err(decided(found.value));
    const kept = await requests.put({ ...found.value, state: 'withdrawn' });
    if (!kept.ok) return kept;
    this.#parts.journal.did('grant.withdraw', this.#views.request(kept.value).stream, actor, {
      request: kept.value.id,
    });
    await exchange()?.request(kept.value.owner, { kind: 'withdraw', id: kept.value.id });
    return ok(this.#views.request(kept.value));
  }

  async answer(
    id: string,
    decision: Parameters<GrantsApi['answer']>[1],
    actor: Actor,
  ): Promise<Result<RequestView>> {
    const found = this.#parts.requests.find('in', id);
    if (!found.ok) return found;
    if (found.value.state !== 'pending') return err(decided(found.value));
    const kept = decision.accept
      ? await this.#parts.incoming.accept(found.value, decision.input)
      : await this.#parts.incoming.reject(found.value, decision.reason);
    if (!kept.ok) return kept;
    const { state, reason, grantId, organisation } = kept.value;
    const step = decision.accept ? 'grant.accept' : 'grant.reject';
    const data = { request: found.value.id, organisation, state, reason, grant: grantId };
    this.#parts.journal.did(step, kept.value.stream, actor, data);
    return ok(this.#views.request(kept.value));
  }

  /** The grant that a request asked for, with what the answer changed. */
  give(request: KeptRequest, input: Partial<GrantInput>): Promise<Result<KeptGrant>> {
    const { stream, audience, seconds, purpose, organisation, renews } = request;
    // One that follows another is as that was, but for its end.
    const before = this.#parts.grants.get(renews)?.scope;
    const terms = before === undefined ? { depth: 1, purpose } : termsOf(before);
    const wanted = { ...terms, ...(seconds === 0 ? {} : { seconds }), ...input };
    // What was asked for by an organisation is for its peers; more is what the operator says.
    const within = before === undefined ? organisation : before.within;
    const bound = within !== undefined && (wanted.depth ?? 0) <= 1 ? { within } : {};
    return this.#mint(stream, audience, wanted, bound);
  }

  async #mint(
    stream: string,
    audience: Did,
    input: Omit<Partial<GrantInput>, 'to'>,
    bound: { readonly within?: Did } = {},
  ): Promise<Result<KeptGrant>> {
    const { home, runtime, grants } = this.#parts;
    if (!isStreamName(stream)) return err(fault('bad-name', `${stream} is not a name`));
    const command = this.#parts.commandOf(stream) ?? readCommand;
    const held = command === keyCommand ? home.keyDelegation : home.readDelegation;
    if (held.length === 0) return err(noKey);
    if (command === keyCommand && input.fields === 'attributes') return err(bothOrNone);
    const { from, until, seconds, purpose, depth = 1, fields } = input;
    const now = runtime.clock.now();
    const tokens = mintGrant(home.keys.peer, runtime.random, held, {
      command,
      owner: home.identity.organisation,
      audience,
      stream: asStreamName(stream),
      ...(from === undefined ? {} : { from }),
      ...(until === undefined ? {} : { to: until }),
      ...(seconds === undefined ? {} : { expires: asTimeMs(now + seconds * 1000) }),
      ...(purpose === undefined || purpose === '' ? {} : { purpose }),
      ...(fields === undefined ? {} : { fields }),
      ...bound,
      handOns: depth,
    });
    const grant = orderGrant(nodeCrypto, tokens);
    return grant.ok ? grants.keep('given', grant.value, now) : grant;
  }

  /** A key of ours that issued a link; what it revokes is void for the whole chain. */
  #issuerOf({ chain }: Grant): Result<Signer> {
    const { peer, organisation } = this.#parts.home.keys;
    for (const signer of [peer, ...(organisation === undefined ? [] : [organisation])]) {
      const did = didFromKey(signer.publicKey);
      if (chain.some(({ issuer }) => issuer === did)) return ok(signer);
    }
    return err(fault('grant-holder', 'no key of this home issued a part of this grant'));
  }

  #peer(): Did {
    return didFromKey(this.#parts.home.keys.peer.publicKey);
  }

  #record(action: string, subject: string, actor: Actor, view: GrantView): void {
    const { id, holder, expires, purpose } = view;
    this.#parts.journal.did(action, subject, actor, { grant: id, holder, expires, purpose });
  }
}

function termsOf({ from, to, purpose, fields, handOns }: GrantScope): Partial<GrantInput> {
  return {
    ...(from === 0 ? {} : { from: asTimeMs(from) }),
    ...(to === undefined ? {} : { until: asTimeMs(to) }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(fields === undefined ? {} : { fields }),
    ...(handOns === undefined ? {} : { depth: handOns }),
  };
}

function decided({ id, state }: KeptRequest): Fault {
  return fault('request-decided', `the request ${id} is ${state}`);
}

const bothOrNone = fault(
  'fields-unsupported',
  'an epoch key of a sealed stream opens attributes and data alike',
);
const noKey = fault(
  'grant-key-missing',
  'this peer has no leave of its organisation to give grants',
);
