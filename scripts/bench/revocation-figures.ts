/** Figures of taking back, between real processes. */
interface RevocationFigure {
  readonly unit: 'ms';
  readonly what: string;
  readonly atMost?: number;
  readonly ratioTo?: 'revocationCall';
}

export const revocationFigures: Readonly<
  Record<'revocationCall' | 'revocationP50' | 'revocationP99', RevocationFigure>
> = {
  revocationCall: {
    unit: 'ms',
    what: 'a grant taken back over HTTP: in force, on the disk, announced, in the registry; p50',
  },
  revocationP50: {
    unit: 'ms',
    what: 'from that request to the last event that another serving peer gave away, 6 peers, p50',
    ratioTo: 'revocationCall',
  },
  revocationP99: {
    unit: 'ms',
    what: 'the same, p99',
    atMost: 1000,
    ratioTo: 'revocationCall',
  },
};
