/** Another program has the port. */
import { createServer, type Server } from 'node:net';
import { loneNode, must, refuses, type Scenario } from '../scenario.ts';

export const portInUse: Scenario = {
  name: 'port',
  promise: 'a port in use is named, nothing is left half open, and a free one works',
  async run({ work }) {
    const peer = await loneNode(work, 'peer', 'events');
    await peer.down();
    const [taken = 0, free = 0] = await work.ports(2);
    await using _server = await occupy(taken);
    const said = await refuses(peer, 1, 'port-in-use', {
      environment: { HW_HTTP_LISTEN: `127.0.0.1:${taken}` },
    });
    must(said.includes(String(taken)), `the port is not named: ${said}`);
    const p2p = await refuses(peer, 1, 'port-in-use', {
      environment: { HW_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${taken}` },
    });
    must(p2p.includes(String(taken)), `the port is not named: ${p2p}`);
    await peer.up({ environment: { HW_HTTP_LISTEN: `127.0.0.1:${free}` } });
    must(peer.api.base.endsWith(String(free)), 'the variable does not count');
    await peer.down();
    return 'of the API and of the peer';
  },
};

async function occupy(port: number): Promise<Server> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, '127.0.0.1', resolve);
  await promise;
  return server;
}
