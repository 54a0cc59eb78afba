/**
 * What a node listens on over HTTP: the API, and where configured the public listener and the one
 * for metrics. Opened together at the start and closed by whoever holds them.
 */
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { Replays } from '../access/ucan-replays.ts';
import { nodeCrypto } from '../crypto-node.ts';
import type { Fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { ok, type Result } from '../result.ts';
import type { RevocationBook } from './access/revocation-book.ts';
import type { Config } from './config-schema.ts';
import type { Home } from './home.ts';
import { AdminCourt, type Watching } from './http/admins.ts';
import type { ApiSecurity } from './http/auth.ts';
import { buildMetricsServer, buildPublicServer } from './http/public-server.ts';
import { minVersion } from './http/raw-server.ts';
import { buildServer, listen } from './http/server.ts';
import { readMetricsToken } from './metrics-token.ts';
import type { Check, NodeApi } from './node-api.ts';
import { packageVersion } from './cli/version.ts';
import type { Runtime } from './runtime.ts';
import { loadTls, tlsFinding, type LoadedTls } from './tls.ts';

export interface ListenerUrls {
  readonly api: string;
  readonly public?: string;
  readonly metrics?: string;
}

export interface Listeners extends AsyncDisposable {
  /** URL of the API. */
  readonly api: string;
  /** URLs of all, the others where they are configured. */
  readonly urls: ListenerUrls;
  /** Reads the certificate anew; true where it is another one. Codes: those of `loadTls`. */
  reload(config: Config): Promise<Result<boolean>>;
  findings(): readonly Omit<Check, 'since'>[];
}

export interface ListenerParts {
  readonly home: Home;
  readonly runtime: Runtime;
  /** Delegations that were taken back: those of administrators too. */
  readonly revocations: Pick<RevocationBook, 'set' | 'onTaken'>;
  readonly onFault: (problem: Fault, request: string) => void;
  /** Callers who were refused, at most one in `deniedJournalMs`; `others` were not told of. */
  readonly onDenied: (problem: Fault, request: string, others: number) => void;
}

/** Codes: those of `loadTls` and `listen`. On a fault nothing is left open. */
export async function openListeners(
  api: NodeApi,
  parts: ListenerParts,
): Promise<Result<Listeners>> {
  const { home, runtime, onFault } = parts;
  const { http, limits } = home.config;
  await using servers = new Servers();
  const tls = await loadTls(home.config, home.paths.root);
  if (!tls.ok) return tls;
  const shared = {
    timers: runtime.timers,
    clock: runtime.clock,
    limits,
    onFault,
    ...(tls.value === undefined ? {} : { tls: tls.value }),
  };
  const server = await buildServer(api, {
    ...shared,
    token: home.apiToken,
    version: packageVersion(),
    security: apiSecurity(parts),
  });
  const open = async (one: FastifyInstance, address: string): Promise<Result<string>> => {
    servers.add(one);
    return listen(one, address);
  };
  const first = await open(server, http.listen);
  if (!first.ok) return first;
  const others: { public?: string; metrics?: string } = {};
  for (const [name, build] of [
    ['public', buildPublicServer],
    ['metrics', buildMetricsServer],
  ] as const) {
    const address = http[name];
    if (address === undefined) continue;
    const opened = await open(build(api, shared), address);
    if (!opened.ok) return opened;
    others[name] = opened.value;
  }
  const kept = servers.move();
  let current = tls.value;
  return ok({
    api: first.value,
    urls: { api: first.value, ...others },
    findings: () => findings(current, runtime),
    reload: async (config) => {
      // Whether there is TLS at all is decided when the listeners are opened.
      if (current === undefined) return ok(false);
      const loaded = await loadTls(config, home.paths.root);
      if (!loaded.ok || loaded.value === undefined) return loaded.ok ? ok(false) : loaded;
      const { cert, key } = loaded.value;
      if (cert === current.cert && key === current.key) return ok(false);
      kept.certify(loaded.value);
      current = loaded.value;
      return ok(true);
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  });
}

/** Closed beside each other: each takes its time for what is being answered. */
class Servers implements AsyncDisposable {
  #open: readonly FastifyInstance[] = [];

  add(server: FastifyInstance): void {
    this.#open = [...this.#open, server];
  }

  move(): Servers {
    const moved = new Servers();
    moved.#open = this.#open;
    this.#open = [];
    return moved;
  }

  /** For connections from now on. */
  certify({ cert, key }: LoadedTls): void {
    for (const { server } of this.#open) {
      if (server instanceof TlsServer) server.setSecureContext({ cert, key, minVersion });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((server) => server.close()));
  }
}

function findings(tls: LoadedTls | undefined, { clock }: Runtime): readonly Omit<Check, 'since'>[] {
  return tls === undefined ? [] : [tlsFinding(tls, clock.now())];
}

function apiSecurity({ home, runtime, revocations, onDenied }: ListenerParts): ApiSecurity {
  const { identity, paths, config } = home;
  const { clock, random, timers } = runtime;
  const { maxInvocations, deniedJournalMs } = config.limits;
  const court = {
    crypto: nodeCrypto,
    self: didFromKey(identity.peerKey),
    // What was issued before the start may have been used before it.
    replays: new Replays(Math.floor(clock.now() / 1000), maxInvocations),
    revocations: revocations.set,
  };
  const onRevoked: Watching['onRevoked'] = (listener) => revocations.onTaken(listener);
  let toldAt = -Infinity;
  let untold = 0;
  return {
    clock,
    random,
    admins: new AdminCourt(court, identity.organisation, clock, { timers, onRevoked }),
    metricsToken: () => readMetricsToken(paths),
    onDenied: (problem, request) => {
      const now = clock.monotonic();
      if (now - toldAt < deniedJournalMs) {
        untold += 1;
        return;
      }
      onDenied(problem, request, untold);
      toldAt = now;
      untold = 0;
    },
  };
}
