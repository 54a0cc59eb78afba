/** Checks of sealed streams: keys of epochs, their delivery, bodies. */
import type { Checks } from './table.ts';

export const epochs: readonly Checks[] = [
  {
    file: 'src/access/hpke.ts',
    tests: ['test/access/hpke.test.ts'],
    checks: [
      [
        'a recipient’s key of no order',
        "if (shared === undefined) return err(fault('hpke-key', 'not the key",
        "if (false) return err(fault('hpke-key', 'not the key",
      ],
      [
        'an encapsulated key of no order',
        "if (shared === undefined) return err(fault('hpke-key', 'not an",
        "if (false) return err(fault('hpke-key', 'not an",
      ],
      ['the message opens', 'if (plaintext === undefined)'],
      ['the recipient’s key is bound', 'concat(enc, recipient), 32', 'concat(enc), 32'],
      ['info is bound', "'info_hash', info)", "'info_hash', none)"],
      [
        'the data beside it is bound',
        'cipher.open(key, nonce, context.aad, ciphertext)',
        'cipher.open(key, nonce, none, ciphertext)',
      ],
    ],
  },
  {
    file: 'src/access/epoch-keys.ts',
    tests: ['test/access/epoch-keys.test.ts'],
    checks: [
      ['not above what is held', 'wanted.level > held.level || ', ''],
      ['below what is held', ' || !spans(held, first)', ''],
      ['the range begins with an integer', '!Number.isSafeInteger(from) ||\n', ''],
      ['the range ends with an integer', '!Number.isSafeInteger(to) ||\n', ''],
      ['not before the first epoch', 'from < 0 ||\n', ''],
      ['not after the last epoch', 'to > epochs ||\n', ''],
      ['not empty', '||\n    from >= to', ''],
      ['nothing beyond the end', ' && at + 2 ** (level + 1) <= to', ''],
      ['a shredded epoch is gone', 'if (!spans(node, epoch)) return [node];', 'return [node];'],
      ['other nodes stay', 'if (!spans(node, epoch)) return [node];', ''],
      [
        'a key is the one announced',
        'if (equal(epochCheck(h, log, epoch, key), check))',
        'if (true)',
      ],
      [
        'a check value is of one log',
        'concat(checkPrefix, log, number, key)',
        'concat(checkPrefix, number, key)',
      ],
      [
        'a check value is of one epoch',
        'concat(checkPrefix, log, number, key)',
        'concat(checkPrefix, log, key)',
      ],
    ],
  },
  {
    file: 'src/ledger/sealed-body.ts',
    tests: ['test/ledger/sealed-body.test.ts'],
    checks: [
      ['length and hash of the body', 'wrong === undefined ? openChecked', 'true ? openChecked'],
      ['the ciphertext authenticates', 'if (plaintext === undefined)'],
      ['the plaintext can be read', 'if (!opened.ok)'],
      ['the commitments of the leaf', 'untrue === undefined ? opened', 'true ? opened'],
      [
        'the leaf is bound',
        'const plaintext = cipher.open(key, nonce, associated(leaf), body);',
        'const plaintext = cipher.open(key, nonce, new Uint8Array(0), body);',
      ],
      ['the key is of one log', 'keyInput.set(place.log, at + 32);', ''],
      ['the key is of one index', 'writeUint64(keyInput, at + 64, place.index);', ''],
      ['the key is of these commitments', 'keyInput.set(both, at + 72);', ''],
      ['a list of five', 'if (reader.list() !== 5)'],
      ['salts of 32 bytes', 'if (salts.some((salt) => salt.length !== 32))'],
      ['nothing behind the plaintext', 'reader.end();', ''],
      ['canonical', 'if (reader.failed !== undefined)'],
      ['known kind', 'if (!isKind(kind))'],
      ['no data with kind none', 'if (kind === 0 && data.length > 0)'],
    ],
  },
];
