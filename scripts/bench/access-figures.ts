/** Figures of decisions who may read. */
interface AccessFigure {
  readonly unit: 'operations/s';
  readonly what: string;
  readonly atLeast?: number;
  readonly ratioTo?: 'rawVerify' | 'accessVerify';
  readonly ratioAtLeast?: number;
}

export const accessFigures: Readonly<
  Record<'accessVerify' | 'accessCold' | 'accessAgain', AccessFigure>
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
};
