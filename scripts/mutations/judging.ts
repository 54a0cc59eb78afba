/** Checks that decide over tokens: chain, invocation, replays, revocations, policies, and what uses them. */
import type { Checks } from './table.ts';

const chains = ['ucan-chain', 'ucan-invocation', 'write-proof', 'peer-delegation'].map(test);
const invocations = ['ucan-invocation', 'may'].map(test);

function test(name: string): string {
  return `test/access/${name}.test.ts`;
}

export const judging: readonly Checks[] = [
  {
    file: 'src/access/ucan-chain.ts',
    tests: chains,
    checks: [
      ['a chain has a link (reading)', 'if (tokens.length === 0)'],
      ['a chain has a link (judging)', 'if (chain.length === 0)'],
      ['a chain is not too long', 'if (tokens.length > protocol.maxProofLinks)'],
      ['signatures', 'crypto.verify(didKey(link.issuer), link.signed, link.signature)', 'true'],
      [
        'the chain begins with the owner',
        'index === 0 ? claim.subject :',
        'index === 0 ? link.issuer :',
      ],
      ['principals align', 'if (link.issuer !== issuer)'],
      [
        'the chain ends with its holder',
        'if (index === chain.length - 1 && link.audience !== claim.holder)',
      ],
      ['subject equal', 'link.subject === claim.subject', 'true'],
      [
        'command attenuated from link to link',
        'if (above !== undefined && !covers(above.command, link.command))',
      ],
      [
        'command covers what is claimed',
        'if (index === chain.length - 1 && !covers(link.command, claim.command))',
      ],
      ['not yet valid', 'if (link.notBefore !== undefined && seconds < link.notBefore - skew)'],
      ['expired', 'if (link.expires !== null && seconds > link.expires + skew)'],
      ['skew is 60 s', 'const skew = protocol.tokenSkewSeconds;', 'const skew = 3600;'],
      ['policies of the whole chain', 'satisfied(link.policy, claim.args)', 'true'],
    ],
  },
  {
    file: 'src/access/ucan-command.ts',
    tests: [...chains, test('ucan-policy'), test('ucan-delegation')],
    checks: [
      ['a command ends at a slash', 'claim.startsWith(`${proof}/`)', 'claim.startsWith(proof)'],
      ['syntax of a command', '/^(?:\\/|(?:\\/[^/]+)+)$/u.test(text)', 'true'],
      ['lower case', ' && text === text.toLowerCase()', ''],
    ],
  },
  {
    file: 'src/access/ucan-judge.ts',
    tests: [...invocations, test('succession')],
    checks: [
      ['all proofs are there', 'if (token === undefined)'],
      [
        'signature of the invocation',
        'if (!crypto.verify(didKey(issuer), invocation.signed, invocation.signature))',
      ],
      ['no proof only for the subject itself', 'if (issuer !== subject)'],
      ['the chain holds', 'if (!verified.ok) return verified;\n  }', '}'],
      [
        'the invocation has expired',
        'if (expires !== null && Math.floor(time / 1000) > expires + protocol.tokenSkewSeconds)',
      ],
      ['no hw of its own', "if (Object.hasOwn(invocation.args, 'hw'))"],
      [
        'policies see hw',
        'const args = { ...invocation.args, hw };',
        'const args = invocation.args;',
      ],
      ['depth is that of the chain', 'depth: chain.length', 'depth: 0'],
      [
        'the standard validation holds',
        'if (!verified.ok) return verified;\n  const brief',
        'const brief',
      ],
      ['says when it was issued', 'issuedAt === undefined || expires', 'expires'],
      ['expires at all', 'expires === null || ', ''],
      ['lives five minutes at most', ' || expires - issuedAt > maxInvocationSeconds', ''],
      ['not issued in the future', 'if (issuedAt > now + tokenSkewSeconds)'],
      ['audience is me', 'if ((invocation.audience ?? invocation.subject) !== court.self)'],
      ['none revoked', 'if (revoked !== undefined)'],
      ['none by a stolen key', 'if (stolen !== undefined) return err(stolen)', ''],
      ['nonce not seen', 'court.replays.admit(invocation, now)', 'ok(undefined)'],
    ],
  },
  {
    file: 'src/access/ucan-replays.ts',
    tests: invocations,
    checks: [
      ['issued before the start', 'if (issuedAt < this.#startedAt)'],
      ['a nonce is long enough', 'if (nonce.length < minNonceBytes)'],
      ['seen before', 'if (this.#seen.has(key))'],
      [
        'one issuer does not use up nonces of another',
        '`${issuer} ${toHex(nonce)}`',
        'toHex(nonce)',
      ],
      ['bounded', "return err(fault('rate-limited', 'too many invocations at once'));", 'void 0;'],
      ['kept until it has expired', 'if (until < now)', 'if (true)'],
      ['kept for the skew', ' + protocol.tokenSkewSeconds', ''],
    ],
  },
  {
    file: 'src/access/ucan-revocations.ts',
    tests: [...invocations, test('token-fuzz')],
    checks: [
      ['signature of a revocation', 'if (!crypto.verify(didKey(issuer), signed, signature))'],
      ['its command', 'if (decoded.value.command !== command)'],
      ['no unknown argument', 'if (unknown !== undefined)'],
      ['args.ucan is a link', 'if (ucan === null)'],
      ['args.path is a list', '!isUcanList(links) || ', ''],
      ['args.path is not too long', ' || links.length > protocol.maxProofLinks', ''],
      ['args.path is of links', 'if (link === null)'],
      ['the same twice is one', 'if (revokers?.has(revoker) === true)'],
      ['bounded', 'if (this.#size >= this.#max)'],
      ['the revoker issued a link', ' && chain.some(({ issuer }) => revokers.has(issuer))', ''],
    ],
  },
  {
    file: 'src/access/ucan-policy.ts',
    tests: [test('ucan-policy'), test('ucan-delegation')],
    checks: [
      [
        'a policy is a list',
        "if (!isUcanList(value)) return refuse('ucan-field', 'a policy is",
        "if (false) return refuse('ucan-field', 'a policy is",
      ],
      ['a statement is a list', 'if (!isUcanList(item))'],
      ['and, or have two parts', 'if (item.length !== 2)\n', 'if (false)\n'],
      [
        'not has two parts',
        "if (item.length !== 2) return refuse('ucan-field', 'a statement is [\"not\"",
        "if (false) return refuse('ucan-field', 'a statement is [\"not\"",
      ],
      ['the others have three parts', 'item.length !== 3 || ', ''],
      ['a selector is text', "typeof first !== 'string' || ", ''],
      [
        'unknown operators',
        "return refuse(\n        'ucan-operator',",
        "return ok({ operator: 'and', statements: [] });\n      return refuse(\n        'ucan-operator',",
      ],
      ['a pattern is text', "if (typeof value === 'string') return ok", 'if (true) return ok'],
      ['a bound is a number', "if (typeof value === 'number') return ok", 'if (true) return ok'],
      [
        'what is undecided does not hold',
        'holds(statement, args) === true',
        'holds(statement, args) !== false',
      ],
      ['nor under not', 'inner === undefined ? undefined : !inner', '!inner'],
      [
        '!= of what is missing',
        'value === undefined ? undefined : holdsFor(statement, value)',
        'holdsFor(statement, value ?? null)',
      ],
      ['like takes text only', "typeof value === 'string' && like", 'like'],
      [
        'all, any take lists and maps only',
        'if (items === undefined) return false;',
        'if (items === undefined) return true;',
      ],
      ['bounds take numbers only', "typeof value === 'number' && compares", 'compares'],
      ['one false makes all false', 'if (judged.includes(false)) return false;', ''],
      [
        'one undecided makes all undecided',
        'return judged.includes(undefined) ? undefined : true;',
        'return true;',
      ],
      [
        'what fixes is ==',
        "statement.operator === '==' && statement.selector.text",
        'statement.selector?.text',
      ],
    ],
  },
  {
    file: 'src/access/ucan-like.ts',
    tests: [test('ucan-policy')],
    checks: [
      ['the beginning', 'if (!text.startsWith(first))'],
      ['the middle', 'if (found < 0)'],
      ['the end does not overlap', 'text.length - last.length >= at && ', ''],
    ],
  },
  {
    file: 'src/access/may.ts',
    tests: [test('may'), test('succession')],
    checks: [
      ['we are the owner', 'if (state.organisation !== wanted.owner)'],
      ['a grant is there', 'if (grant === undefined)'],
      ['the invocation is by the peer that shows it', 'if (invocation.issuer !== peer)'],
      ['about this owner', 'if (!isOwn(state, owner, invocation.subject))'],
      ['about reading', 'if (invocation.command !== command)'],
      ['about this stream', ' || args.stream !== wanted.stream', ''],
      ['fields that can be served', 'if (unserved !== undefined)'],
      [
        'no unknown arguments',
        "if (Object.keys(args).some((name) => !names.has(name) && name !== 'hw'))",
      ],
      ['a permit ends', 'if (state.now > permit.untilMs)'],
      ['a permit is revoked', 'if (revoked !== undefined)'],
      [
        'our view of revocations is fresh',
        'if (age !== undefined && age <= state.maxRevocationLagMs)',
        'if (true)',
      ],
      ['one invocation', 'if (invocation !== undefined) return manyInvocations;', ''],
      [
        'a policy that looks at the time ends a permit',
        'if (!permit.chain.some(isTimed)) return undefined;',
        'return undefined;',
      ],
      [
        'told why only with all proofs',
        'if (!proof.ok) return false;',
        'if (!proof.ok) return true;',
      ],
      [
        'told why only about the stream of the grant',
        "if (!chain.some(({ policy }) => fixedTo(policy, 'stream') === stream))",
      ],
      [
        'told why only with a true chain',
        'return aligned.ok || afterAlignment.has(aligned.error.code);',
        'return true;',
      ],
    ],
  },
  {
    file: 'src/access/verified-signatures.ts',
    tests: [test('verified-signatures')],
    checks: [
      ['not known yet', 'if (!crypto.verify(key, message, signature))'],
      ['known of this key', 'concat(key, signature, message)', 'concat(signature, message)'],
      ['known of this signature', 'concat(key, signature, message)', 'concat(key, message)'],
      ['known of this message', 'concat(key, signature, message)', 'concat(key, signature)'],
      ['bounded', 'new RecentMap<string, true>(max)', 'new RecentMap<string, true>(9e9)'],
    ],
  },
  {
    file: 'src/access/write-proof.ts',
    tests: [test('write-proof')],
    checks: [
      [
        'empty where the key is the owner’s',
        'if (claim.proof.length === 0) return ok(undefined);',
        'return ok(undefined);',
      ],
      ['the chain can be read', 'if (!chain.ok)'],
      ['the chain holds', 'if (!verified.ok)'],
      ['name and partition are fixed', 'if (!fixesBoth(chain.value))'],
      [
        'both by one link',
        "!== undefined && fixedTo(link.policy, 'partition')",
        "!== undefined || fixedTo(link.policy, 'partition')",
      ],
    ],
  },
  {
    file: 'src/access/peer-delegation.ts',
    tests: [test('peer-delegation')],
    checks: [
      ['the chain can be read', 'if (!chain.ok)'],
      ['the chain holds', 'if (!verified.ok)'],
      ['our network', "if (claim.network !== undefined) args['network'] = claim.network;", ''],
      ['a registry is a log', 'value instanceof Uint8Array && value.length === 32', 'true'],
      [
        'only the organisation names its registry',
        "fixedTo(chain[0]?.policy ?? [], 'registry')",
        "fixedTo(chain.at(-1)?.policy ?? [], 'registry')",
      ],
    ],
  },
];
