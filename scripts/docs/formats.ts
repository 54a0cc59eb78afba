/** docs/reference/formats.md: what the codecs say of themselves in their opening comments. */
import { controlTable } from './control-maps.ts';
import { code, commentToMarkdown, openingComment, readSource, type Page } from './markdown.ts';

interface Chapter {
  readonly title: string;
  readonly formats: readonly (readonly [title: string, source: string])[];
}

/** In the order in which one would learn them. */
const chapters: readonly Chapter[] = [
  {
    title: 'The ledger',
    formats: [
      ['Body', 'src/ledger/body.ts'],
      ['Commitments', 'src/ledger/commitment.ts'],
      ['Leaf', 'src/ledger/leaf.ts'],
      ['Tree', 'src/ledger/tree.ts'],
      ['Range', 'src/ledger/range.ts'],
      ['Genesis', 'src/ledger/genesis.ts'],
      ['Control records', 'src/ledger/control.ts'],
      ['Retention policy', 'src/ledger/retention-policy.ts'],
      ['Key epochs', 'src/access/epoch-keys.ts'],
      ['Epoch policy', 'src/ledger/epoch-policy.ts'],
      ['Sealed body', 'src/ledger/sealed-body.ts'],
      ['Shredded epoch', 'src/ledger/shreds.ts'],
      ['Rotation and recovery key', 'src/ledger/key-chain.ts'],
      ['Successor log', 'src/ledger/successor.ts'],
      ['Signed note', 'src/ledger/note.ts'],
      ['Checkpoint', 'src/ledger/checkpoint.ts'],
      ['Wire block', 'src/ledger/block-codec.ts'],
      ['Tile', 'src/ledger/tile.ts'],
      ['Static tree', 'src/ledger/static-tree.ts'],
      ['Proof', 'src/ledger/tlog-proof.ts'],
      ['Disclosed event of a proof', 'src/ledger/proof-extra.ts'],
      ['Proof of a range', 'src/ledger/range-file.ts'],
      ['One entry in a range', 'src/ledger/range-member.ts'],
      ['Audit bundle', 'src/ledger/bundle-lines.ts'],
      ['The file of an audit bundle', 'src/ledger/bundle-gzip.ts'],
      ['Fork proof', 'src/ledger/fork-proof.ts'],
      ['Cosigners', 'src/ledger/cosignature.ts'],
      ['Trust policy', 'src/ledger/trust-policy.ts'],
      ['Trust policy file', 'src/ledger/policy-file.ts'],
      ['Request to a witness', 'src/ledger/witness.ts'],
      ['Position and cursor', 'src/ledger/cursors.ts'],
    ],
  },
  {
    title: 'Identity and permission',
    formats: [
      ['UCAN delegation', 'src/access/ucan-delegation.ts'],
      ['Delegations of peers', 'src/access/peer-delegation.ts'],
      ['Token container', 'src/access/ucan-container.ts'],
      ['Network document', 'src/gossip/network-document.ts'],
      ['Invite line', 'src/gossip/invite.ts'],
    ],
  },
  {
    title: 'Between peers',
    formats: [
      ['Frames', 'src/gossip/frames.ts'],
      ['Messages', 'src/gossip/message.ts'],
      ['Hello', 'src/gossip/hello-codec.ts'],
      ['Heads', 'src/gossip/heads-codec.ts'],
      ['Keys', 'src/gossip/keys-codec.ts'],
      ['Blocks', 'src/gossip/blocks-codec.ts'],
      ['Publish', 'src/gossip/publish-codec.ts'],
      ['Acknowledgements', 'src/gossip/ack-codec.ts'],
      ['Witnesses', 'src/gossip/witness-codec.ts'],
      ['Proofs and forks', 'src/gossip/proof-codec.ts'],
      ['Grants and cards', 'src/gossip/access-codec.ts'],
      ['Announcements', 'src/gossip/announcement-codec.ts'],
    ],
  },
  {
    title: 'In a home',
    formats: [
      ['Home directory', 'src/node/home.ts'],
      ['Key file', 'src/access/key-file.ts'],
      ['Guard file', 'src/ledger/guard-file.ts'],
      ['Stored block', 'src/ledger/block-record.ts'],
      ['Stored head', 'src/ledger/head-record.ts'],
      ['Stored row of a log', 'src/ledger/log-row.ts'],
      ['Stored state of a log', 'src/ledger/log-state.ts'],
      ['Stored row of retention', 'src/ledger/retention-row.ts'],
      ['Stored tile', 'src/ledger/packed-tile.ts'],
      ['Keyed hashes', 'src/ledger/id-keys.ts'],
      ['Rows of the id index', 'src/ledger/id-rows.ts'],
      ['Backup', 'src/node/backup/manifest.ts'],
      ['Rows of a backup', 'src/node/backup/rows-codec.ts'],
    ],
  },
];

/** Every file whose opening comment is a format. */
export const formatSources: readonly string[] = chapters.flatMap(({ formats }) =>
  formats.map(([, source]) => source),
);

function formatLines(title: string, source: string): readonly string[] {
  const comment = openingComment(readSource(source));
  if (comment === '') throw new Error(`${source} does not open with its format`);
  return [
    '',
    `### ${title}`,
    '',
    `From [${code(source)}](../../${source}).`,
    '',
    ...commentToMarkdown(comment),
    ...(title === 'Control records' ? ['', ...controlTable()] : []),
  ];
}

export const formats: Page = {
  name: 'formats',
  title: 'Formats',
  sources: formatSources,
  make: () =>
    [
      'Every format of bytes, as the file that reads and writes it describes it. Integers are',
      'big-endian, ‖ joins bytes, a number after a field is its length in bytes, [ ] is a dag-cbor list',
      'and { } a map. dag-cbor is read strictly: what does not encode again to the same bytes is refused.',
      'Golden files for tests in other languages: [test/vectors](../../test/vectors/README.md).',
      ...chapters.flatMap((chapter) => [
        '',
        `## ${chapter.title}`,
        ...chapter.formats.flatMap(([title, source]) => formatLines(title, source)),
      ]),
    ].join('\n'),
};
