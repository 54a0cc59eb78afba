/** Figures of sealed streams, each beside the open one of the same round. */
interface SealedFigure {
  readonly unit: 'events/s';
  readonly what: string;
  readonly ratioTo?: 'publishOpen' | 'readOpen';
  readonly ratioAtLeast?: number;
}

export const sealedFigures: Readonly<
  Record<'publishSealed' | 'publishOpen' | 'readSealed' | 'readOpen', SealedFigure>
> = {
  publishSealed: {
    unit: 'events/s',
    what: 'publish to a sealed stream through the library, durable',
    ratioTo: 'publishOpen',
    ratioAtLeast: 0.5,
  },
  publishOpen: { unit: 'events/s', what: 'the same events to a public stream, in turn' },
  readSealed: {
    unit: 'events/s',
    what: 'a sealed stream read, opened, checked and rendered as NDJSON',
    ratioTo: 'readOpen',
    ratioAtLeast: 0.5,
  },
  readOpen: { unit: 'events/s', what: 'the same of a public stream, in turn' },
};
