import { transportContract } from '../contract/transport.ts';
import { libp2pHarness } from './libp2p-support.ts';

transportContract('libp2p', libp2pHarness);
