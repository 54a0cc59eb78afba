/** What `startNode` (node.ts) gives to `hw up`. */
import type { Config } from './config-schema.ts';
import type { ListenerUrls } from './listeners.ts';
import type { NodeLog } from './logger.ts';
import type { Reload, Reloaded } from './reload.ts';
import type { Runtime } from './runtime.ts';
import type { Store } from '../ledger/store.ts';
import type { Result } from '../result.ts';

export interface StartOptions {
  /** `hw up --accept-clock`: sign although the clock is far ahead of the last entry. */
  readonly acceptClock?: boolean;
  /** `hw up --accept-fork-risk`: own logs sign although nobody has confirmed their heads. */
  readonly acceptForkRisk?: boolean;
  /** Another store than LevelDB's, made for the folder of the store. */
  readonly openStore?: (folder: string) => Promise<Result<Store>>;
}

export interface RunningNode extends AsyncDisposable {
  /** `http://host:port` of the API, `https:` with TLS. */
  readonly api: string;
  /** The same, and of the public listener and the one for metrics where they are configured. */
  readonly urls: ListenerUrls;
  /** Multiaddrs, with `/p2p/<peer id>`, that others can dial. */
  readonly addresses: readonly string[];
  /** Resolves once the node has stopped, by `stop` or by itself (an API call, a fatal fault). */
  readonly stopped: Promise<void>;
  /** Takes what can be taken of a configuration that was read anew (reload.ts). Never rejects. */
  reload(config: Result<Config>): Promise<Result<Reloaded>>;
  /** Refuses new work, finishes what was accepted, closes everything. Idempotent; never rejects. */
  stop(): Promise<void>;
}

/** What `startNode` has put together. */
export interface Started {
  readonly urls: ListenerUrls;
  readonly addresses: readonly string[];
  readonly asked: Promise<void>;
  readonly reload: Reload;
  drain(): Promise<void>;
}

/** A stray rejection of a library is told and lived with; after an exception nothing is certain. */
export function watchCrashes(runtime: Pick<Runtime, 'onCrash' | 'exit'>, log: NodeLog): Disposable {
  return runtime.onCrash((cause, kind) => {
    const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    if (kind === 'rejection') {
      log.error({ error }, 'a rejected promise that nothing handled');
      return;
    }
    log.fatal({ error }, 'an exception that nothing caught: the node ends');
    runtime.exit(1);
  });
}

/** The node from outside; `stop` drains once, however often it is called. */
export function running(started: Started, stack: AsyncDisposableStack): RunningNode {
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= started.drain().then(() => stack.disposeAsync());
    return stopping;
  };
  return {
    api: started.urls.api,
    urls: started.urls,
    addresses: started.addresses,
    stopped: started.asked.then(stop),
    stop,
    reload: (config) => started.reload.run(config),
    [Symbol.asyncDispose]: stop,
  };
}
