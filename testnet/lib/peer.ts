/** One home with its node: made by `hw init` or `hw join`, run by `hw up`, ended by signals. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setInConfig } from '../../src/node/config.ts';
import { JsonView } from '../../src/node/json-view.ts';
import { Api } from './api.ts';
import type { Child } from './children.ts';
import { hw, mainPath, type HwOptions, type Ran } from './hw.ts';
import { until } from './until.ts';
import type { Workspace } from './workspace.ts';

export interface UpOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Arguments for Node itself, before the program. */
  readonly nodeArgs?: readonly string[];
}

/** How a node that should have come up ended. */
export class NotUp extends Error {
  readonly code: number | null;
  readonly fault: string;
  constructor(name: string, code: number | null, fault: string, said: string) {
    super(`${name} did not come up (exit ${code}): ${said}`);
    this.name = 'NotUp';
    this.code = code;
    this.fault = fault;
  }
}

export class Peer {
  readonly name: string;
  readonly home: string;
  /** stderr of its node, all runs of it. */
  readonly log: string;
  readonly #work: Workspace;
  #child: Child | undefined;
  #api: Api | undefined;
  #did = '';
  #listens: readonly string[] = [];

  constructor(work: Workspace, name: string, home: string = join(work.folder, name)) {
    this.#work = work;
    this.name = name;
    this.home = home;
    this.log = join(work.directory('logs'), `${name}.log`);
  }

  /** The organisation's DID. */
  get did(): string {
    return this.#did;
  }
  get api(): Api {
    if (this.#api === undefined) throw new Error(`${this.name} is not up`);
    return this.#api;
  }
  /** Multiaddrs that it listens on, by its configuration. */
  get listens(): readonly string[] {
    return this.#listens;
  }
  get process(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} was never started`);
    return this.#child;
  }

  hw(args: readonly string[], options: Omit<HwOptions, 'home'> = {}): Promise<Ran> {
    return hw(this.#work, args, { home: this.home, ...options });
  }

  /** A home that founds its own network. */
  async init(...args: readonly string[]): Promise<this> {
    const made = (await this.hw(['init', '--org', this.name, ...args])).expect(0);
    this.#did = made.json.text('organisation') ?? '';
    await this.#localPorts();
    return this;
  }

  /** A home in the network of the invite. */
  async join(invite: string, ...args: readonly string[]): Promise<this> {
    const made = (await this.hw(['join', invite, '--org', this.name, ...args])).expect(0);
    this.#did = made.json.text('organisation') ?? '';
    await this.#localPorts();
    return this;
  }

  /** In the place of its home a new one, set up as that was, that waits to be a peer of the organisation. */
  async ask(organisation: string): Promise<this> {
    const file = join(this.home, 'config.yaml');
    const config = readFileSync(file);
    rmSync(this.home, { recursive: true, force: true });
    (await this.hw(['init', '--peer-of', organisation])).expect(0);
    writeFileSync(file, config);
    this.#did = organisation;
    return this;
  }

  /** Loopback only, on ports that no other home of this run has. */
  async #localPorts(): Promise<void> {
    const [http = 0, tcp = 0, socket = 0] = await this.#work.ports(3);
    this.configure('http.listen', `127.0.0.1:${http}`);
    this.#listens = [`/ip4/127.0.0.1/tcp/${tcp}`, `/ip4/127.0.0.1/tcp/${socket}/ws`];
    this.configure('p2p.listen', this.#listens);
    // All peers of a test network share one address.
    this.configure('limits.maxInboundPerSecond', 100);
  }

  /** Sets one key of config.yaml; it counts from the next start. */
  configure(key: string, value: unknown): void {
    const file = join(this.home, 'config.yaml');
    const changed = setInConfig(readFileSync(file, 'utf8'), file, key, value);
    if (!changed.ok) throw new Error(`${key}: ${changed.error.message}`);
    writeFileSync(file, changed.value);
  }

  /** Starts the node and waits until it serves; throws `NotUp` where it ends before. */
  async up({ args = [], environment = {}, nodeArgs = [] }: UpOptions = {}): Promise<this> {
    this.#work.signal.throwIfAborted();
    const child = this.#work.children.start(
      [...nodeArgs, mainPath, 'up', '--json', '--home', this.home, ...args],
      { log: this.log, environment: this.#work.environment(environment) },
    );
    this.#child = child;
    const info = await until(
      `${this.name} to come up`,
      () => (child.exit === undefined ? firstValue(child.stdout) : JsonView.parse('null')),
      { timeoutMs: 60_000, everyMs: 20, signal: this.#work.signal },
    );
    const api = info.text('api');
    if (api === undefined) {
      const { code } = await child.exited;
      const said = `${child.stdout}${readFileSync(this.log, 'utf8').slice(-2000)}`.trim();
      throw new NotUp(this.name, code, faultOf(child.stdout), said);
    }
    const token = readFileSync(join(this.home, 'api.token'), 'utf8').trim();
    this.#api = new Api(api, token, this.#work.signal);
    void this.#watch(child);
    return this;
  }

  /** Tells where a node crashes. */
  async #watch(child: Child): Promise<void> {
    const { code, signal } = await child.exited;
    if (code === 0 || child.signalled || this.#work.signal.aborted) return;
    const said = readFileSync(this.log, 'utf8').slice(-2000).trimEnd();
    this.#work.note(`${this.name} ended by itself with ${code ?? signal}\n${said}`);
  }

  /** SIGTERM; the drain must end in good order. */
  async down(): Promise<void> {
    if (this.#child === undefined) return;
    this.#child.kill('SIGTERM');
    const { code, signal } = await this.#child.exited;
    if (code !== 0) throw new Error(`${this.name} ended with ${code ?? signal} at SIGTERM`);
  }

  /** SIGKILL: what was not on the disk is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }
}

/** The first whole line of stdout. */
function firstValue(stdout: string): JsonView | undefined {
  const end = stdout.indexOf('\n');
  return end < 0 ? undefined : JsonView.parse(stdout.slice(0, end));
}

function faultOf(stdout: string): string {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return JsonView.parse(last).at('error').text('code') ?? '';
}
