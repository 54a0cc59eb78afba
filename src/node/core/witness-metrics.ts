/** Metrics of witnesses: how far each has cosigned our logs, and what we answered as one. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { WitnessApi } from '../witness-api.ts';

export function witnessMetrics(
  registers: Registry[],
  witness: Pick<WitnessApi, 'ofOwnLogs' | 'answers'>,
): void {
  const labelNames = ['stream', 'witness'];
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name, help, labelNames, registers });
  const size = gauge('headwater_witness_size', 'entries of our log that a witness has cosigned');
  const lag = gauge('headwater_witness_lag_entries', 'entries that it has not cosigned yet');
  for (const one of witness.ofOwnLogs()) {
    const labels = { stream: one.stream, witness: one.witness };
    size.set(labels, one.size);
    lag.set(labels, Math.max(0, one.head - one.size));
  }
  const answers = new Counter({
    name: 'headwater_witness_answers_total',
    help: 'checkpoints answered as a witness, by status',
    labelNames: ['status'],
    registers,
  });
  for (const [status, count] of witness.answers()) answers.inc({ status: String(status) }, count);
}
