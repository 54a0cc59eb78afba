/**
 * An in-toto statement v1 about one event with SLSA provenance v1 as its predicate, in a DSSE
 * envelope. The subject's digest is the event's leaf hash, SHA-256 of 00 ‖ leaf, which commits to its
 * attributes, data and inputs; a range is named by its range root. Who signs says what was found in
 * their copy of the logs: the producers' own signatures are in the logs.
 */
import type { Signer } from '../crypto.ts';
import { utf8 } from '../bytes.ts';
import { formatTime } from '../time.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { member, signEnvelope } from './dsse.ts';
import type { LineageGraph, LineageNode } from './graph.ts';
import { activityText } from './render-tree.ts';

const statementType = 'https://in-toto.io/Statement/v1';
const provenanceType = 'https://slsa.dev/provenance/v1';
export const payloadType = 'application/vnd.in-toto+json';

type Json = Readonly<Record<string, unknown>>;

/** A trace up, signed; ends with a line feed. */
export function renderIntoto(graph: LineageGraph, signer: Signer): string {
  const payload = utf8(JSON.stringify(statementOf(graph)));
  return `${signEnvelope(signer, payloadType, payload)}\n`;
}

export function statementOf(graph: LineageGraph): Json {
  const root = graph.nodes.get(graph.root);
  if (root === undefined) throw new RangeError('a graph has its root');
  const direct = new Set(root.next);
  const others = [...graph.nodes.values()].filter((node) => node !== root);
  const { event } = root;
  return {
    _type: statementType,
    subject: [{ name: root.ref, digest: digestOf(root) }],
    predicateType: provenanceType,
    predicate: {
      buildDefinition: {
        buildType: 'urn:headwater:event:1',
        externalParameters: {
          stream: root.stream,
          organisation: root.owner ?? root.organisation,
          ...(event === undefined
            ? {}
            : { type: event.type, source: event.source, id: event.id, subject: event.subject }),
        },
        resolvedDependencies: others.map((node) => dependency(node, direct.has(node.ref))),
      },
      runDetails: {
        builder: builderOf(root),
        metadata: {
          invocationId: root.ref,
          ...(root.recordedTime === undefined ? {} : { finishedOn: formatTime(root.recordedTime) }),
        },
      },
    },
  };
}

/** `id` is required and a URI; what the producer did not state is said to be not stated. */
function builderOf({ event }: LineageNode): Json {
  const activity = event?.activity;
  if (activity === undefined) return { id: 'urn:headwater:not-stated' };
  if (activity.kind === 'declared') return { id: activityText(activity) };
  const { program, version, digest, operator } = activity;
  const name = `urn:headwater:program:${encodeURIComponent(program)}`;
  return {
    id: operator ?? name,
    version: {
      [program]: [version, digest].filter((part) => part !== undefined).join(' ') || 'not stated',
    },
  };
}

function dependency(node: LineageNode, direct: boolean): Json {
  const { ref, verdict, problem, stream, owner, organisation, kind } = node;
  const annotations = { kind, verdict, problem: problem?.code, direct, stream };
  return {
    uri: ref,
    digest: digestOf(node),
    annotations: { ...annotations, organisation: owner ?? organisation },
  };
}

function digestOf({ kind, hash }: LineageNode): Json {
  if (hash === undefined) return {};
  return kind === 'range' ? { headwater_range_root: hash } : { sha256: hash };
}

const digestLengths: Readonly<Record<string, readonly number[]>> = {
  md5: [32],
  sha1: [40],
  sha224: [56],
  sha256: [64],
  sha384: [96],
  sha512: [128],
  sha512_224: [56],
  sha512_256: [64],
  sha3_224: [56],
  sha3_256: [64],
  sha3_384: [96],
  sha3_512: [128],
  gitCommit: [40, 64],
  gitTree: [40, 64],
  gitBlob: [40, 64],
  gitTag: [40, 64],
};

/** A statement v1 (or v0.1) by its required parts; unknown members are passed over. Code: intoto-shape. */
export function checkStatement(value: unknown): Result<void> {
  const type = member(value, '_type');
  if (type !== statementType && type !== 'https://in-toto.io/Statement/v0.1') {
    return refuse('_type is not a statement of version 1');
  }
  const subject = member(value, 'subject');
  if (!Array.isArray(subject) || subject.length === 0) return refuse('a statement has a subject');
  for (const item of subject as readonly unknown[]) {
    const sound = checkDescriptor(item);
    if (!sound.ok) return sound;
    if (!isFilled(member(item, 'digest'))) return refuse('a subject is named by its digest');
  }
  const predicateType = member(value, 'predicateType');
  if (typeof predicateType === 'string' && predicateType !== '') return ok(undefined);
  return refuse('predicateType is missing');
}

/** A resource descriptor. Code: intoto-shape. */
export function checkDescriptor(value: unknown): Result<void> {
  const digest = member(value, 'digest');
  const named = ['uri', 'content'].some((name) => isText(member(value, name)));
  if (!named && !isFilled(digest)) return refuse('a descriptor has uri, digest or content');
  for (const [name, text] of Object.entries(isFilled(digest) ? digest : {})) {
    const lengths = digestLengths[name];
    if (!isText(text)) return refuse(`the digest ${name} is no text`);
    if (lengths !== undefined && !(lengths.includes(text.length) && /^[0-9a-f]+$/.test(text))) {
      return refuse(`the digest ${name} is not lower-case hex of its length`);
    }
  }
  return ok(undefined);
}

/** SLSA provenance v1 by its required parts. Code: intoto-shape. */
export function checkProvenance(value: unknown): Result<void> {
  const definition = member(value, 'buildDefinition');
  if (!isText(member(definition, 'buildType'))) return refuse('buildType is missing');
  if (!isFilled(member(definition, 'externalParameters'))) {
    return refuse('externalParameters are missing');
  }
  const builder = member(member(value, 'runDetails'), 'builder');
  if (!isText(member(builder, 'id'))) return refuse('the builder has no id');
  const lists = [
    member(definition, 'resolvedDependencies'),
    member(builder, 'builderDependencies'),
    member(member(value, 'runDetails'), 'byproducts'),
  ];
  for (const item of lists.flatMap((list: unknown): readonly unknown[] =>
    Array.isArray(list) ? list : [],
  )) {
    const sound = checkDescriptor(item);
    if (!sound.ok) return sound;
  }
  return ok(undefined);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isFilled(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function refuse(message: string): Result<never> {
  return err(fault('intoto-shape', message));
}
