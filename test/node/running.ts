/** A real node on a home of its own, without a network, and HTTP calls to it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { homePaths, openHome } from '../../src/node/home.ts';
import { lockHome } from '../../src/node/home-lock.ts';
import { createHome } from '../../src/node/home-create.ts';
import type { Config, Limits } from '../../src/node/config-schema.ts';
import { startNode } from '../../src/node/node.ts';
import type { RunningNode, StartOptions } from '../../src/node/running-node.ts';
import type { Runtime } from '../../src/node/runtime.ts';
import { err } from '../../src/result.ts';
import { fault } from '../../src/errors.ts';
import { must } from '../support/result.ts';
import { real, tempFolder } from './cli/harness.ts';
import { Client } from './http/client.ts';

export interface NodeOptions extends StartOptions {
  readonly limits?: Partial<Limits>;
  readonly follow?: readonly string[];
  /** Further settings, as config.yaml would have them. */
  readonly config?: Partial<Config>;
  /** host:port of the API; a free port unless said. */
  readonly listen?: string;
  /** Of an earlier node, stopped meanwhile. */
  readonly folder?: string;
  readonly runtime?: Partial<Runtime>;
}

export interface TestNode extends AsyncDisposable {
  readonly folder: string;
  readonly node: RunningNode;
  readonly client: Client;
  readonly token: string;
  /** did:key of the organisation and of the peer. */
  readonly organisation: string;
  /** What the node wrote to its log. */
  log(): string;
}

/** Starts a node; disposing stops it and removes its home unless the folder was given. */
export async function testNode(options: NodeOptions = {}): Promise<TestNode> {
  const { limits, follow, folder, runtime, listen = '127.0.0.1:0', ...rest } = options;
  const { config: more, ...start } = rest;
  await using stack = new AsyncDisposableStack();
  const path = folder ?? stack.use(tempFolder()).path;
  const made = await createHome(path, {
    organisation: 'acme',
    random: real.random,
    ask: () => Promise.resolve(err(fault('key-passphrase-needed', 'asked'))),
  });
  must(made, 'init');
  const home = must(await openHome(path), 'open');
  const config = {
    ...home.config,
    ...more,
    ...(follow === undefined ? {} : { follow }),
    http: { ...home.config.http, ...more?.http, listen },
    limits: { ...home.config.limits, ...limits },
  };
  const written: string[] = [];
  const stderr = {
    ...real.stderr,
    terminal: false,
    write: (data: string | Uint8Array): Promise<void> => {
      written.push(String(data));
      return Promise.resolve();
    },
  };
  const environment = { HW_LOG_LEVEL: 'trace' };
  const given = { ...real, environment, stderr, ...runtime };
  const node = must(await startNode({ ...home, config }, given, start), 'start');
  stack.defer(() => node.stop());
  const client = stack.use(new Client(node.api, home.apiToken));
  const kept = stack.move();
  return {
    folder: path,
    node,
    client,
    token: home.apiToken,
    organisation: home.identity.organisation,
    log: () => written.join(''),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The same, and it holds its home as `hw up` does: commands on the folder find it. */
export async function heldNode(folder: string): Promise<TestNode> {
  await using stack = new AsyncDisposableStack();
  const node = await testNode({ folder });
  const paths = homePaths(folder);
  stack.use(must(await lockHome(paths, real)));
  stack.use(node);
  writeFileSync(paths.nodeInfo, JSON.stringify({ api: node.client.address }));
  const kept = stack.move();
  return { ...node, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Makes a stream; fails where it cannot be made. */
export async function createStream(
  client: Client,
  name: string,
  more: Record<string, unknown> = {},
): Promise<void> {
  const made = await client.json('POST', '/streams', { name, ...more });
  assert.equal(made.status, 201, made.text);
}
