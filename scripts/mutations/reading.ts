/** Checks that decide what is a token at all: CBOR, envelope, fields, containers, selectors. */
import type { Checks } from './table.ts';

const tokens = ['ucan-cbor', 'ucan-delegation', 'ucan-invocation', 'token-fuzz'].map(test);

const listDepth = `#items(length: number, depth: number): Item<Link> {
    if (depth > maxDepth)`;
const mapDepth = `#members(length: number, depth: number): Item<Link> {
    if (depth > maxDepth)`;

function test(name: string): string {
  return `test/access/${name}.test.ts`;
}

export const reading: readonly Checks[] = [
  {
    file: 'src/access/ucan-cbor.ts',
    tests: [...tokens, 'test/cbor-items.test.ts'],
    checks: [
      ['a link begins with a zero', 'if (content[0] !== 0)'],
      ['a link has one encoding', 'equal(cid.bytes, bytes) ? cid', 'true ? cid'],
    ],
  },
  {
    file: 'src/cbor-items.ts',
    tests: [...tokens, 'test/cbor-items.test.ts'],
    checks: [
      ['nothing after the item', 'reader.end();', ''],
      ['numbers are exact', 'if (argument === Number.MAX_SAFE_INTEGER)'],
      ['text is UTF-8', "this.fail('text that is not UTF-8');", ''],
      ['depth of lists', listDepth, listDepth.replace('depth > maxDepth', 'false')],
      ['depth of maps', mapDepth, mapDepth.replace('depth > maxDepth', 'false')],
      ['keys are text', 'if (this.failed === undefined && major !== 3)'],
      ['keys are in order', 'if (!inOrder(this.#bytes, before, beforeEnd, start, this.offset))'],
      [
        'shorter keys come first',
        'if (longer !== 0) return longer > 0;',
        'if (longer > 0) return true;',
      ],
      ['no key twice', 'return false;\n}\n\nfunction set', 'return true;\n}\n\nfunction set'],
      ['no member is the prototype', "if (key !== '__proto__')", 'if (true)'],
      ['no map poses as a link', 'if (posesAsLink(map))'],
      ['tags are of links', 'tag !== 42 || ', ''],
      ['a link is in bytes', ' || major !== 2', ''],
      ['a link is one', "this.fail('a link that is not one, or where none may be');", ''],
      ['no floats or undefined', 'if (argument !== 22)'],
    ],
  },
  {
    file: 'src/cbor-reader.ts',
    tests: [...tokens, 'test/cbor-items.test.ts'],
    checks: [
      ['safe integers', 'if (!Number.isSafeInteger(value))'],
      ['shortest heads', 'if (value < least)'],
    ],
  },
  {
    file: 'src/did-key.ts',
    tests: [...tokens, 'test/did-key.test.ts'],
    checks: [
      ['length and begin', 'if (text.length !== end || !text.startsWith(begin))'],
      ['digits', 'invalid < 0 ?', 'false ?'],
      ['nothing above', 'number[11] !== 0xed || ', ''],
      ['type of the key', ' || next >>> 16 !== 0x01', ''],
    ],
  },
  {
    file: 'src/access/ucan-envelope.ts',
    tests: tokens,
    checks: [
      ['size of a token', 'if (token.length > protocol.maxTokenBytes)'],
      ['an envelope of two', 'envelope.length !== 2 || ', ''],
      ['the signature is bytes', '!(signature instanceof Uint8Array) || ', ''],
      ['the signed part is a map', ' || !isUcanMap(body)', ''],
      ['the signature has 64 bytes', 'if (signature.length !== 64)'],
      ['known version', 'release === undefined || ', ''],
      ['nothing else in the signed part', ' || Object.keys(body).length !== 2', ''],
      ['varsig header', ' || !equal(found, header)', ''],
      ['the payload is a map', 'if (!isUcanMap(payload))'],
      ['no unknown field', 'if (unknown !== undefined)'],
      ['no missing field', 'absent === undefined ? ok(undefined)', 'true ? ok(undefined)'],
      ['DIDs', 'if (did?.ok === true) return did;', 'return ok(value);'],
      ['a command is text', "if (typeof value !== 'string')"],
      ['syntax of a command', 'isCommand(value) ?', 'true ?'],
      [
        'an expiry is a number or null',
        "if (value === null || typeof value === 'number')",
        'if (true)',
      ],
    ],
  },
  {
    file: 'src/access/ucan-delegation.ts',
    tests: tokens,
    checks: [
      ['known fields', 'if (!complete.ok)'],
      ['issuer', 'if (!issuer.ok)'],
      ['audience', 'if (!audience.ok)'],
      ['subject', 'if (!subject.ok)'],
      ['command', 'if (!command.ok)'],
      ['policy', 'if (!policy.ok)'],
      ['expiry', 'if (!expires.ok)'],
      ['a nonce is bytes', 'if (!(nonce instanceof Uint8Array))'],
      ['a time is a number', "if (nbf !== undefined && typeof nbf !== 'number')"],
      ['meta is a map', 'if (meta !== undefined && !isUcanMap(meta))'],
    ],
  },
  {
    file: 'src/access/ucan-invocation.ts',
    tests: tokens,
    checks: [
      ['known fields', 'if (!complete.ok)'],
      ['principals', 'if (!principals.ok)'],
      ['command', 'if (!command.ok)'],
      ['proofs', 'if (!proofs.ok)'],
      ['expiry', 'if (!expires.ok)'],
      ['args is a map', 'if (!isUcanMap(args))'],
      ['a nonce is bytes', 'if (!(nonce instanceof Uint8Array))'],
      ['a time is a number', "if (iat !== undefined && typeof iat !== 'number')"],
      ['meta is a map', 'if (meta !== undefined && !isUcanMap(meta))'],
      ['cause is a link', 'if (cause !== undefined && CID.asCID(cause) === null)'],
      ['proofs are a list', 'if (!isUcanList(value))'],
      ['proofs are not too many', 'if (value.length > protocol.maxProofLinks)'],
      ['proofs are links', 'if (link === null)'],
    ],
  },
  {
    file: 'src/access/ucan-container.ts',
    tests: [test('ucan-container'), test('token-fuzz')],
    checks: [
      ['length of the bytes', 'if (bytes.length > maxLength)'],
      ['one key only', 'Object.keys(map.value).length !== 1 || ', ''],
      ['a list of tokens', ' || !Array.isArray(list)', ''],
      ['tokens are bytes', 'if (!(token instanceof Uint8Array))'],
      ['not empty', 'if (tokens.length === 0 || tokens', 'if (tokens'],
      [
        'not too many',
        'tokens.length === 0 || tokens.length > protocol.maxContainerTokens',
        'tokens.length === 0',
      ],
      ['none twice', 'if (sorted.some(', 'if (false && sorted.some('],
      ['no compressed or unknown form', 'if (bytes[0] !== 0x42 && bytes[0] !== 0x43)'],
    ],
  },
  {
    file: 'src/access/ucan-selector.ts',
    tests: [test('ucan-policy'), test('token-fuzz')],
    checks: [
      ['begins with a dot', "if (!text.startsWith('.'))"],
      [
        'nothing is passed over',
        'if (found === undefined || step === undefined) return refuse(text);',
        'if (found === undefined || step === undefined) break;',
      ],
      ['not too long', 'if (segments.length > protocol.maxSelectorSegments)'],
      ['a slice has an end', 'if (start === undefined && end === undefined)'],
      ['names are well formed', ' && name.isWellFormed()', ''],
      ['own members only', ' && Object.hasOwn(value, step.name)', ''],
      ['what does not resolve selects nothing', 'if (next === undefined && !segment.optional)'],
    ],
  },
];
