/** The API behind a guard whose clock, keys and tokens are the test's. */
import { Replays } from '../../../src/access/ucan-replays.ts';
import { Revocations } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import { didFromKey } from '../../../src/ids.ts';
import {
  mintAdminDelegation,
  mintBearer,
  readPowers,
  type BearerTerms,
  type Powers,
} from '../../../src/node/admin-tokens.ts';
import { parseContainer } from '../../../src/access/ucan-container.ts';
import { AdminCourt } from '../../../src/node/http/admins.ts';
import { adminRoot, commandOf, type AdminCommand } from '../../../src/node/http/entry-points.ts';
import type { HttpLimits } from '../../../src/node/http/parts.ts';
import { asTimeMs, type Did, type TimeMs } from '../../../src/types.ts';
import { must } from '../../support/result.ts';
import { real } from '../cli/harness.ts';
import { serveDouble, type Served } from './double.ts';

function person(n: number): { readonly signer: Signer; readonly did: Did } {
  const signer = signerFromSeed(new Uint8Array(32).fill(n));
  return { signer, did: didFromKey(signer.publicKey) };
}
export const organisation: ReturnType<typeof person> = person(11);
export const peer: ReturnType<typeof person> = person(12);
export const admin: ReturnType<typeof person> = person(13);
export const thief: ReturnType<typeof person> = person(14);

/** Stands still unless told. */
export class TestClock {
  ms: number = real.clock.now();
  now(): TimeMs {
    return asTimeMs(this.ms);
  }
  monotonic(): number {
    return this.ms;
  }
}

export interface Guarded extends Served {
  readonly clock: TestClock;
  readonly denied: string[];
  readonly revocations: Revocations;
  /** Something was revoked, or time has passed: all that looks at it looks again. */
  changed(): void;
  /** How many look. */
  watchers(): number;
  /** The headers of a bearer for one request. */
  bearer(
    request: string,
    changes?: Partial<BearerTerms> & { readonly by?: Signer },
  ): { readonly authorization: string };
}

/** `startedAt` in seconds from the clock's now. */
export async function guarded(
  given: Partial<HttpLimits> = {},
  startedAt = -3600,
): Promise<Guarded> {
  const clock = new TestClock();
  const revocations = new Revocations(100);
  const denied: string[] = [];
  const court = {
    crypto: nodeCrypto,
    self: peer.did,
    replays: new Replays(Math.floor(clock.ms / 1000) + startedAt, 100),
    revocations,
  };
  const looking = new Set<() => void>();
  const register = (look: () => void): Disposable => {
    const own = (): void => look();
    looking.add(own);
    return { [Symbol.dispose]: () => void looking.delete(own) };
  };
  const timers = { ...real.timers, every: (_ms: number, look: () => void) => register(look) };
  const watching = { timers, onRevoked: register };
  const served = await serveDouble(given, {
    clock,
    admins: new AdminCourt(court, organisation.did, clock, watching),
    metricsToken: () => Promise.resolve('the-token-for-metrics'),
    onDenied: ({ code }, request) => denied.push(`${code} ${request}`),
  });
  return {
    ...served,
    clock,
    denied,
    revocations,
    changed: () => [...looking].forEach((look) => look()),
    watchers: () => looking.size,
    bearer: (request, changes = {}) => {
      const [method = '', target = ''] = request.split(' ');
      const { by = admin.signer, ...more } = changes;
      const text = mintBearer(by, real.random, {
        powers: powers(),
        node: peer.did,
        command: commandOf(method, target),
        method,
        target,
        now: clock.now(),
        seconds: 60,
        ...more,
      });
      return { authorization: `Bearer ${text}` };
    },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** What the organisation gave the admin. */
export function powers(
  command: AdminCommand = adminRoot,
  node: Did = peer.did,
  seconds = 7200,
): Powers {
  const text = mintAdminDelegation(organisation.signer, real.random, {
    audience: admin.did,
    command,
    node,
    expires: asTimeMs(real.clock.now() + seconds * 1000),
  });
  return must(readPowers(must(parseContainer(text))));
}
