/** libp2p's questions to a connection gater, answered by our own (connection-gate.ts). */
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import { asPeerId } from '../types.ts';
import type { Admission, ConnectionGate } from './connection-gate.ts';

/** `closing` refuses everything: a transport that ends must not be dialled again meanwhile. */
export function connectionGater(gate: ConnectionGate, closing: () => boolean): ConnectionGater {
  const admissions = new WeakMap<MultiaddrConnection, Admission>();

  function admit(connection: MultiaddrConnection, direction: 'inbound' | 'outbound'): boolean {
    if (closing() || connection.status !== 'open') return false;
    const admitted = gate.admit(connection.remoteAddr.toString(), direction);
    if (!admitted.ok) return false;
    const admission = admitted.value;
    admissions.set(connection, admission);
    connection.addEventListener('close', () => admission[Symbol.dispose](), { once: true });
    return true;
  }

  function identify(connection: MultiaddrConnection, peer: { toString(): string }): boolean {
    const id = asPeerId(peer.toString());
    if (!gate.admitPeer(id).ok) return false;
    admissions.get(connection)?.identified(id);
    return true;
  }

  return {
    denyDialPeer: (peer) => closing() || !gate.admitPeer(asPeerId(peer.toString())).ok,
    denyInboundConnection: (connection) => !admit(connection, 'inbound'),
    denyInboundEncryptedConnection: (peer, connection) => !identify(connection, peer),
    denyOutboundEncryptedConnection: (peer, connection) =>
      !admit(connection, 'outbound') || !identify(connection, peer),
    denyInboundRelayReservation: (peer) => !gate.admitPeer(asPeerId(peer.toString())).ok,
  };
}
