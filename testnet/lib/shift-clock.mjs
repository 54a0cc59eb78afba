// Loaded before a node by --import: its clock is that of the machine plus the milliseconds that the
// file $TESTNET_CLOCK holds. What the node measures durations with is left alone.
import { readFileSync } from 'node:fs';

const RealDate = Date;
const file = process.env.TESTNET_CLOCK;
let shiftMs = 0;

function look() {
  try {
    shiftMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    shiftMs = 0;
  }
}

look();
setInterval(look, 20).unref();

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + shiftMs] : given));
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
};
