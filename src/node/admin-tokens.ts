/**
 * Minting what opens the API of a remote node: the organisation's delegation of `/flow/admin/…` to
 * another DID, and that DID's bearer for one request (judged by http/admins.ts).
 */
import { formatContainer } from '../access/ucan-container.ts';
import { decodeDelegation, mintDelegation, type Delegation } from '../access/ucan-delegation.ts';
import { tokenCid } from '../access/ucan-envelope.ts';
import { mintInvocation } from '../access/ucan-invocation.ts';
import { is } from '../access/ucan-policy.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, parseDid } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, TimeMs } from '../types.ts';
import type { AdminCommand } from './http/entry-points.ts';

export interface AdminTerms {
  readonly audience: Did;
  readonly command: AdminCommand;
  /** The peer whose API it is for: a policy fixes it, so no other peer of the organisation takes it. */
  readonly node: Did;
  readonly expires: TimeMs;
}

/** The container with one delegation of the organisation, whose signer this is. */
export function mintAdminDelegation(signer: Signer, random: Random, terms: AdminTerms): string {
  const token = mintDelegation(signer, {
    audience: terms.audience,
    subject: didFromKey(signer.publicKey),
    command: terms.command,
    policy: [is('node', terms.node)],
    nonce: random.bytes(12),
    expires: Math.floor(terms.expires / 1000),
    // No authority: it saves the holder from being told whom to ask.
    meta: { node: terms.node },
  });
  return formatContainer([token]);
}

/** Delegations from root to leaf, with what a bearer has to say of them. */
export interface Powers {
  readonly tokens: readonly Uint8Array[];
  readonly subject: Did;
  /** Who may invoke. */
  readonly holder: Did;
  /** The peer that they were made for, as their issuer says. */
  readonly node?: Did;
}

/** Codes: those of `decodeDelegation`; `ucan-chain` (they do not follow each other). */
export function readPowers(tokens: readonly Uint8Array[]): Result<Powers> {
  const links: (readonly [Delegation, Uint8Array])[] = [];
  for (const token of tokens) {
    const decoded = decodeDelegation(token);
    if (!decoded.ok) return decoded;
    links.push([decoded.value, token]);
  }
  const ordered: Uint8Array[] = [];
  let issuer = links.find(([link]) => link.issuer === link.subject)?.[0].issuer;
  const subject = issuer;
  let node: unknown;
  while (links.length > 0) {
    const next = links.findIndex(([link]) => link.issuer === issuer);
    const [link] = links.splice(next, next < 0 ? 0 : 1);
    if (link === undefined) break;
    ordered.push(link[1]);
    issuer = link[0].audience;
    node ??= link[0].meta?.['node'];
  }
  if (subject === undefined || issuer === undefined || links.length > 0) {
    return err(fault('ucan-chain', 'the delegations do not lead from an organisation to a holder'));
  }
  const named = typeof node === 'string' ? parseDid(node) : undefined;
  return ok({ tokens: ordered, subject, holder: issuer, ...(named?.ok && { node: named.value }) });
}

export interface BearerTerms {
  readonly powers: Pick<Powers, 'tokens' | 'subject'>;
  readonly node: Did;
  readonly command: AdminCommand;
  readonly method: string;
  /** Path and query, as they will be sent. */
  readonly target: string;
  readonly now: TimeMs;
  /** At most `maxInvocationSeconds`. */
  readonly seconds: number;
}

/** The text behind `Authorization: Bearer`; good once. */
export function mintBearer(signer: Signer, random: Random, terms: BearerTerms): string {
  const { powers, method, target } = terms;
  const mark = target.indexOf('?');
  const [path, query] = mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
  const issuedAt = Math.floor(terms.now / 1000);
  const invocation = mintInvocation(signer, {
    subject: powers.subject,
    audience: terms.node,
    command: terms.command,
    args: { node: terms.node, method, path, ...(query === '' ? {} : { query }) },
    proofs: powers.tokens.map((token) => tokenCid(nodeCrypto, token)),
    nonce: random.bytes(16),
    issuedAt,
    expires: issuedAt + terms.seconds,
  });
  return formatContainer([invocation, ...powers.tokens]);
}
