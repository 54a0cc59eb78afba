/** A bare HTTP server in a process of its own: prints its port and serves until it is ended. */
import { bareHttp } from './raw-tcp.ts';

const { port } = await bareHttp();
console.log(port);
