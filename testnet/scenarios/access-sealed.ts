/**
 * The sealed part of the scenario `access`: a relay that follows without a grant and stores what it
 * cannot read, a reader with a grant, a thief who has copied it, and a reader who is revoked.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { filesWith } from '../lib/files-with.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

export const sealedName = 'ledgers';
const stream = `acme/${sealedName}`;

export interface SealedParts {
  readonly options: Parameters<NetworkChecks>[1];
  readonly acme: Peer;
  /** Gets a grant, and loses it. */
  readonly reader: Peer;
  /** Never has one; it follows an open stream of acme too. */
  readonly relay: Peer;
  /** In an open stream that the relay follows: the same search must find it. */
  readonly open: string;
  readonly publish: (stream: string, text: string) => Promise<void>;
}

export class SealedStream {
  readonly #parts: SealedParts;
  /** 64 random base64 characters. */
  readonly #secret = randomBytes(48).toString('base64');
  readonly #after = randomBytes(48).toString('base64');
  #grant = '';

  constructor(parts: SealedParts) {
    this.#parts = parts;
  }

  /** The text of the reader's grant, to be stolen. */
  get grant(): string {
    return this.#grant;
  }

  async read(): Promise<void> {
    const { acme, reader, relay, open, publish, options } = this.#parts;
    const make = ['stream', 'create', sealedName, '--sealed', '--epoch', '1h'];
    (await acme.hw(make)).expect(0);
    await publish(sealedName, this.#secret);
    for (const peer of [relay, reader]) {
      await until(`${peer.name} to have the ciphertext`, async () => {
        await peer.api.post('/follows', { target: stream });
        return (await sealedLines(peer)).length === 1 ? true : undefined;
      });
    }
    const file = join(acme.home, 'sealed.grant');
    const create = ['grant', 'create', sealedName, '--to', 'beta', '--for', '1h', '--out', file];
    this.#grant = (await acme.hw(create)).expect(0).json.text('grant') ?? '';
    (await reader.hw(['follow', stream, '--grant', file])).expect(0);
    await until('the keys', async () => ((await this.#reads(this.#secret)) ? true : undefined));
    const verdict = (await reader.api.verify(stream)).text('verdict');
    must(verdict === 'intact', `the reader says ${verdict}`);
    options.holds('a sealed stream is read with a grant of its keys, verified intact');
    must((await filesWith(relay, this.#secret)).length === 0, 'the relay has the plaintext');
    must((await filesWith(reader, this.#secret)).length === 0, 'the reader stores the plaintext');
    must((await filesWith(relay, open)).length > 0, 'the search finds nothing');
    const relayed = (await relay.api.verify(stream)).text('verdict');
    must(relayed === 'intact', `the relay says ${relayed}`);
    options.holds('a relay stores and verifies it, and no file of it holds the plaintext');
  }

  /** After the thief has put the grant into its own store, and asked. */
  async robbed(thief: Peer): Promise<void> {
    await until('the thief of keys to be refused', async () => {
      const own = (await thief.api.get('/grants')).list('grants');
      const kept = own.find((grant) => grant.text('stream') === stream);
      return kept?.at('problem').text('code') === 'ucan-audience' ? true : undefined;
    });
    must((await sealedLines(thief)).length === 1, 'the thief reads the sealed stream');
    this.#parts.options.holds('a thief with a copied grant gets no keys of a sealed stream');
  }

  async revoke(): Promise<void> {
    const { acme, publish } = this.#parts;
    const grants = (await acme.api.get('/grants')).list('grants');
    const id = grants.find((grant) => grant.text('stream') === sealedName)?.text('id') ?? '';
    (await acme.hw(['grant', 'revoke', id.slice(-8), '--why', 'over'])).expect(0);
    await publish(sealedName, this.#after);
  }

  /** It has the ciphertext of what came after, and nothing to open it with. */
  async revoked(): Promise<void> {
    const { reader, options } = this.#parts;
    await until('the ciphertext of what came after', async () =>
      (await sealedLines(reader)).length === 1 ? true : undefined,
    );
    must(await this.#reads(this.#secret), 'what was read cannot be read any more');
    must(!(await this.#reads(this.#after)), 'the revoked reader reads what came after');
    must((await filesWith(reader, this.#after)).length === 0, 'it has what came after');
    options.holds('a revoked reader of a sealed stream reads nothing that was written after');
  }

  async #reads(text: string): Promise<boolean> {
    const lines = await this.#parts.reader.api.replay(stream);
    return lines.some((line) => line.includes(text));
  }
}

/** Entries that a peer has no key for. */
async function sealedLines(peer: Peer): Promise<readonly string[]> {
  const lines = await peer.api.replay(stream).catch(() => []);
  return lines.filter((line) => line.includes('"sealed"'));
}
