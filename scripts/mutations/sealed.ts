/** Checks of sealed streams beyond their keys: disclosure, bundles, what relays refuse, shredding. */
import type { Checks } from './table.ts';

const attacks = 'test/node/sealed/attacks.test.ts';
const shredding = 'test/node/sealed/shredding.test.ts';
const proofs = 'test/ledger/sealed-proof.test.ts';
const bundles = 'test/ledger/sealed-bundle.test.ts';

export const sealed: readonly Checks[] = [
  {
    file: 'src/ledger/check-disclosure.ts',
    tests: [proofs],
    checks: [
      ['only a sealed event has a key', 'if (place.entry.kind !== 1)'],
      [
        'without an opener the hash of the ciphertext',
        'return wrong === undefined ? ok({ disclosed: { sealed }, unopened: true }) : err(wrong);',
        'return ok({ disclosed: { sealed }, unopened: true });',
      ],
      [
        'what a key opens holds',
        'if (!opened.ok) return opened;\n  const { event, salts }',
        'const { event, salts }',
      ],
      [
        'what was sealed is an event',
        'if (!context.ok) return context;\n  const shown',
        'const shown',
      ],
    ],
  },
  {
    file: 'src/ledger/proof-extra.ts',
    tests: [proofs],
    checks: [['disclosed once', 'if (Object.keys(clear).length > 0)']],
  },
  {
    file: 'src/ledger/event-proof.ts',
    tests: [proofs],
    checks: [
      [
        'what was not opened is incomplete',
        'return unopened === true ? withUnopened(verdict) : verdict;',
        'return verdict;',
      ],
    ],
  },
  {
    file: 'src/ledger/bundle-opening.ts',
    tests: [bundles],
    checks: [
      ['a key is 32 bytes', 'if (bytes.value.length !== 32)'],
      ['keys ascend', 'if (index <= last)'],
      ['a key is of a sealed event that is here', 'if (part === undefined)'],
      ['what a key opens holds', 'if (!plain.ok) return plain;', ''],
      ['what was sealed is an event', 'return context.ok ? ok', 'return true ? ok'],
    ],
  },
  {
    file: 'src/ledger/bundle-log.ts',
    tests: [bundles],
    checks: [
      ['keys stand before what they open', "if (this.opening.waits && line.kind !== 'entry')"],
      [
        'no keys behind the last entry',
        'if (this.opening.waits) return err',
        'if (false) return err',
      ],
    ],
  },
  {
    file: 'src/ledger/bundle-counts.ts',
    tests: [bundles],
    checks: [['no key that nobody asked for', 'if (opened.has(index))']],
  },
  {
    file: 'src/ledger/verify-bundle.ts',
    tests: [bundles],
    checks: [
      [
        'the manifest counts keys',
        '{ opened: this.#keys }',
        '{ opened: this.#manifest?.opened ?? 0 }',
      ],
    ],
  },
  {
    file: 'src/ledger/block-leaves.ts',
    tests: [attacks, 'test/ledger/sealed-leaf.test.ts', proofs],
    checks: [
      ['length of a ciphertext', 'if (readUint32(leaf, leafAt.bodyLength) !== body.length)'],
      [
        'hash of a ciphertext',
        'if (!equal(h.sha256(body), leaf.subarray(leafAt.bodyHash, leafAt.bodyHash + 32)))',
      ],
    ],
  },
  {
    file: 'src/ledger/block-rules.ts',
    tests: [attacks, 'test/ledger/verify-block.test.ts'],
    checks: [
      ['the kind of a leaf fits its log', 'if (sealed !== (kind === leafKind.sealed))'],
      [
        'the epoch of an event is the one open',
        'if (sealed && readUint32(bytes, start + leafAt.sealedEpoch) !== progress.epoch)',
      ],
      [
        'only a sealed log opens epochs',
        "if (progress.genesis?.visibility !== 'sealed') return order('only a sealed",
        "if (false) return order('only a sealed",
      ],
      [
        'epoch numbers grow',
        'if (progress.epoch !== undefined && opening.epoch <= progress.epoch)',
      ],
      ['generations follow each other', 'if (step !== 0 && (before === undefined || step !== 1))'],
    ],
  },
  {
    file: 'src/node/sealed/disclosing.ts',
    tests: [attacks, shredding],
    checks: [
      ['what is disclosed holds', 'if (!opened.ok) return opened;\n    // Who', '// Who'],
      ['what is disclosed is an event', 'return valid.ok ? ok', 'return true ? ok'],
    ],
  },
  {
    file: 'src/node/sealed/sealed-room.ts',
    tests: [attacks, shredding, 'test/node/sealed/judging.test.ts'],
    checks: [
      ['no key of what the log has shredded', 'if (opening.shredded !== undefined)'],
      ['an event of others is judged', 'if (judged.ok)', 'if (!judged.ok || judged.ok)'],
    ],
  },
  {
    file: 'src/node/sealed/shredding.ts',
    tests: [shredding],
    checks: [
      [
        'an open epoch is ended first',
        'if (last?.epoch === epoch && last.shredded === undefined && !this.#isClosed(log.value))',
      ],
      ['only the owner shreds', 'if (!stream.own)'],
      [
        'only sealed streams',
        "if (visibility === 'sealed') return undefined;",
        'return undefined;',
      ],
      [
        'the log is meant without doubt',
        'if (only !== undefined && second === undefined) return ok(only);',
        'if (only !== undefined) return ok(only);',
      ],
      ['own keys go', 'const gone = await own.shred(log, opening);', 'const gone = ok(undefined);'],
      [
        'keys that were given go',
        'return got.covers(log, opening) ? got.shred(log, opening) : ok(undefined);',
        'return ok(undefined);',
      ],
    ],
  },
  {
    file: 'src/ledger/shreds.ts',
    tests: [shredding],
    checks: [
      ['only the writer of a log says it', "if (handle.row.role !== 'writer')"],
      ['of an epoch that was opened', 'if (opening === undefined)'],
      ['not of the open one', 'if (opening === opened.value.at(-1))'],
      ['once', 'if (opening.shredded !== undefined)'],
      [
        'the indexes forget its events',
        'await this.#forget(handle, opening, next)',
        'ok(undefined)',
      ],
    ],
  },
];
