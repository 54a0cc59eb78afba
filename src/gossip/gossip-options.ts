/** What a `GossipNode` is given, and what it tells. */
import type { Crypto } from '../crypto.ts';
import type { Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Did, LogId, PeerId } from '../types.ts';
import type { AccessPort } from './access-port.ts';
import type { AttributesPort } from './attribute-proofs.ts';
import type { EvidencePort } from './evidence-port.ts';
import type { GossipLimits } from './gossip-limits.ts';
import type { LedgerPort } from './ledger-port.ts';
import type { Net, NetworkPort, SelfPort } from './net.ts';
import type { PeerControl } from './peer-control.ts';
import type { JudgeEvent } from './publish.ts';
import type { FoundRegistry } from './registries.ts';
import type { Transport } from './transport.ts';
import type { UsagePort } from './usage-port.ts';

export interface GossipOptions {
  /** Owned by the caller, who disposes it after the node. */
  readonly transport: Transport;
  readonly ledger: LedgerPort;
  readonly host: Host;
  readonly crypto: Crypto;
  readonly network: NetworkPort;
  readonly self: SelfPort;
  readonly judgeEvent: JudgeEvent;
  /** Acknowledgements, witnesses and cosignatures. */
  readonly evidence?: EvidencePort;
  /** Who may read direct logs. */
  readonly access?: AccessPort;
  /** Proofs of events that disclose attributes; absent: none are served. */
  readonly attributes?: AttributesPort;
  /** Told of what is delivered to others. */
  readonly usage?: UsagePort;
  /** Multiaddrs to stay connected to. */
  readonly bootstrap: readonly string[];
  /** False: no topics; everything comes by sync. */
  readonly gossip?: boolean;
  /** False: logs without a topic are polled only, not read live. */
  readonly livePulls?: boolean;
  /** Overrides of `limits.ts`. */
  readonly limits?: Partial<GossipLimits>;
  /** Told of each throw within gossip and sync: a mistake of ours that a log should show. */
  readonly onDefect?: (cause: unknown) => void;
  /** Whether a log that the ledger does not hold is one that the node has heard of. */
  readonly knowsLog?: (logId: LogId) => boolean;
  /** What the operator decided earlier; later decisions go through it too. */
  readonly control?: PeerControl;
}

/** What of it all parts share. */
export function portsOf(options: GossipOptions): Ports {
  const { transport, ledger, host, crypto, network, self, evidence, access } = options;
  const { usage, attributes } = options;
  const more = { usage, attributes };
  return { transport, ledger, host, crypto, network, self, evidence, access, ...more };
}

type Ports = Pick<
  Net,
  | 'transport'
  | 'ledger'
  | 'host'
  | 'crypto'
  | 'network'
  | 'self'
  | 'evidence'
  | 'access'
  | 'usage'
  | 'attributes'
>;

export type GossipEvent =
  /** A peer's hello is accepted; again after each reconnect. */
  | {
      readonly kind: 'peerReady';
      readonly peer: PeerId;
      readonly organisation: Did;
      /** The registry that the organisation's own delegation names. */
      readonly registry?: LogId;
    }
  /** A peer was not let in, or did not let us in; the organisation where it proved one. */
  | {
      readonly kind: 'peerRefused';
      readonly peer: PeerId;
      readonly organisation: Did | undefined;
      readonly reason: Fault;
    }
  /** Someone keeps or announces a registry that our ledger does not. */
  | { readonly kind: 'registryFound'; readonly found: FoundRegistry }
  /** A newer network document is in force. */
  | { readonly kind: 'networkChanged' };
