/** Figures of who may read, and of counting who has. */
interface AccessFigure {
  readonly unit: 'operations/s' | 'events/s';
  readonly what: string;
  readonly atLeast?: number;
  readonly ratioTo?: 'rawVerify' | 'accessVerify' | 'deliver';
  readonly ratioAtLeast?: number;
}

export const accessFigures: Readonly<
  Record<'accessVerify' | 'accessCold' | 'accessAgain' | 'deliver' | 'deliverCounted', AccessFigure>
> = {
  accessVerify: {
    unit: 'operations/s',
    what: 'delegations verified, strictly as everywhere',
    ratioTo: 'rawVerify',
  },
  accessCold: {
    unit: 'operations/s',
    what: 'grants of three delegations judged cold: at most 4 signatures and a fifth',
    ratioTo: 'accessVerify',
    ratioAtLeast: 0.208,
  },
  accessAgain: {
    unit: 'operations/s',
    what: 'decisions on a grant in use, beside 100,000 revocations',
    atLeast: 500_000,
  },
  deliver: {
    unit: 'events/s',
    what: 'blocks read from the store and framed for a reader, without a network',
  },
  deliverCounted: {
    unit: 'events/s',
    what: 'the same, told to the book of deliveries',
    ratioTo: 'deliver',
    ratioAtLeast: 0.95,
  },
};
