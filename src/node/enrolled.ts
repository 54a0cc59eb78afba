/**
 * What other peers of the organisation were given here: keys/enrolled/<peer id>.ucan, a container for each
 * time, a line each, so that `hw peer revoke` can take all of it back, also of a peer that never came.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatContainer, parseContainer } from '../access/ucan-container.ts';
import { at } from '../errors.ts';
import { isPeerId } from '../gossip/peer-id.ts';
import { err, ok, type Result } from '../result.ts';
import { asPeerId, type PeerId } from '../types.ts';
import { exists, fileFault, makeFolders, readText, replaceFile, systemCode } from './files.ts';
import type { HomePaths } from './home.ts';

/** Of one peer; the oldest go first. */
const maxTimes = 64;

function fileOf({ enrolled }: HomePaths, peer: PeerId): string {
  return join(enrolled, `${peer}.ucan`);
}

/** Adds to what the peer was given before. Codes: file-unreadable, file-unwritable, ucan-container. */
export async function keepEnrolled(
  paths: HomePaths,
  peer: PeerId,
  tokens: readonly Uint8Array[],
): Promise<Result<void>> {
  const before = await lines(paths, peer);
  if (!before.ok) return before;
  const folder = await makeFolders(paths.enrolled, ['.']);
  if (!folder.ok) return folder;
  const all = [...before.value, formatContainer(tokens)].slice(-maxTimes);
  return replaceFile(fileOf(paths, peer), `${all.join('\n')}\n`);
}

/** Empty where it was not enrolled here. */
export async function enrolledTokens(
  paths: HomePaths,
  peer: PeerId,
): Promise<Result<readonly Uint8Array[]>> {
  const containers = await lines(paths, peer);
  if (!containers.ok) return containers;
  const tokens: Uint8Array[] = [];
  for (const line of containers.value) {
    const read = parseContainer(line);
    if (!read.ok) return err(at(read.error, { file: fileOf(paths, peer) }));
    tokens.push(...read.value);
  }
  return ok(tokens);
}

async function lines(paths: HomePaths, peer: PeerId): Promise<Result<readonly string[]>> {
  const file = fileOf(paths, peer);
  if (!isPeerId(peer) || !(await exists(file))) return ok([]);
  const text = await readText(file);
  return text.ok ? ok(text.value.split('\n').filter((line) => line !== '')) : text;
}

/** After all of it was taken back. */
export async function forgetEnrolled(paths: HomePaths, peer: PeerId): Promise<Result<void>> {
  const file = fileOf(paths, peer);
  try {
    await rm(file, { force: true });
    return ok(undefined);
  } catch (cause) {
    return err(fileFault('file-unwritable', file, cause));
  }
}

/** Ids of the peers that were enrolled here and not taken back, in order. */
export async function enrolledPeers({ enrolled }: HomePaths): Promise<Result<readonly PeerId[]>> {
  try {
    const names = await readdir(enrolled);
    const ids = names.map((name) => name.replace(/\.ucan$/, '')).filter((id) => isPeerId(id));
    return ok(ids.toSorted().map((id) => asPeerId(id)));
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return ok([]);
    return err(fileFault('file-unreadable', enrolled, cause));
  }
}
