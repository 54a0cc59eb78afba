/** What a fault scenario is, and the small things that many of them need. */
import { NotUp, Peer, type UpOptions } from './lib/peer.ts';
import type { Workspace } from './lib/workspace.ts';

export interface Scenario {
  readonly name: string;
  /** What must hold, in a sentence. */
  readonly promise: string;
  /** Throws where the promise is broken; what it returns is printed. */
  run(context: ScenarioContext): Promise<string>;
}

export interface ScenarioContext {
  /** Its own: everything in it is taken away afterwards. */
  readonly work: Workspace;
  readonly kills: number;
  /** 0 to below 1, repeatable by `--seed`. */
  readonly random: () => number;
}

/** The scenario cannot be run on this machine. */
export class Skipped extends Error {}

/** A node alone with one stream. */
export async function loneNode(
  work: Workspace,
  name: string,
  stream: string,
  home?: string,
): Promise<Peer> {
  const peer = await new Peer(work, name, home).init();
  await peer.up();
  await peer.api.post('/streams', { name: stream });
  return peer;
}

/** A second peer in the network of `founder`, running. */
export async function joined(work: Workspace, name: string, founder: Peer): Promise<Peer> {
  const invite = (await founder.hw(['invite'])).expect(0).json.text('invite') ?? '';
  return (await new Peer(work, name).join(invite)).up();
}

/** Event number `n`; `bytes` of padding make it as large as wanted. */
export function numbered(n: number, bytes = 0): string {
  const padding = bytes === 0 ? '' : `,"padding":"${'x'.repeat(bytes)}"`;
  return `{"specversion":"1.0","id":"e${n}","source":"/faults","type":"org.example.count","data":{"n":${n}${padding}}}`;
}

/** The number of an event that a node gave, from its id. */
export function numberOf(line: string): number {
  return Number(/"id":"e(\d+)"/.exec(line)?.[1] ?? -1);
}

/** A promise that was not kept: never swallowed by those who expect a node to break off. */
export class Broken extends Error {}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}

/** mulberry32: small, fast, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Starts the node, which must end with this exit code and fault; gives what it said. */
export async function refuses(
  peer: Peer,
  code: number,
  fault: string,
  options: UpOptions = {},
): Promise<string> {
  try {
    await peer.up(options);
  } catch (cause) {
    if (!(cause instanceof NotUp)) throw cause;
    must(
      cause.code === code && cause.fault === fault,
      `ended with ${cause.code} ${cause.fault}, not with ${code} ${fault}: ${cause.message}`,
    );
    noStack(cause.message);
    return cause.message;
  }
  throw new Broken(`the node came up instead of ending with ${fault}`);
}

/** A user's mistake is answered without a stack trace. */
export function noStack(said: string): void {
  must(!/^\s+at .+:\d+:\d+\)?$/m.test(said), `a stack trace: ${said.slice(-800)}`);
}
