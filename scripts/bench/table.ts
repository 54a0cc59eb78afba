/** Figures for people. */
import { cpus, totalmem } from 'node:os';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { figureSpecs, isFigureName, type FigureSpec } from './figures.ts';
import type { Figure } from './judge-figures.ts';

const tmpfsMagic = 0x01021994;

/** One line: when, on what, with what. */
export function machine(command: string): string {
  const all = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const folder = process.env['HW_BENCH_DIR'] ?? tmpdir();
  const disk = statfsSync(folder).type === tmpfsMagic ? 'memory (fsync costs nothing!)' : 'disk';
  const parts = [
    new Date().toISOString().slice(0, 16) + 'Z',
    `${all.length} × ${all[0]?.model ?? 'unknown processor'}`,
    memory,
    `${folder} on ${disk}`,
    `${process.platform} ${process.arch}`,
    `Node ${process.version}`,
    command,
  ];
  return parts.join(' · ');
}

export function table(figures: readonly Figure[]): string {
  const rows = figures.map(row);
  const head = ['figure', 'value', 'unit', 'target', '', 'ratio', 'what'];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((cells) => (cells[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 1 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

function row(figure: Figure): readonly string[] {
  const { name, value, unit, pass, ratio, ratioTo } = figure;
  const verdict = pass === null ? '' : pass ? 'pass' : 'MISS';
  const proportion = ratio === null ? '' : `${ratio.toPrecision(2)} × ${ratioTo ?? ''}`;
  const spec: FigureSpec | undefined = isFigureName(name) ? figureSpecs[name] : undefined;
  return [name, number(value), unit, bounds(spec), verdict, proportion, spec?.what ?? ''];
}

/** The bounds as they are stated. */
function bounds(spec: FigureSpec | undefined): string {
  const { atLeast, atMost, ratioAtLeast } = spec ?? {};
  const parts = [
    atLeast === undefined ? '' : `≥ ${number(atLeast)}`,
    atMost === undefined ? '' : `≤ ${number(atMost)}`,
    ratioAtLeast === undefined ? '' : `ratio ≥ ${ratioAtLeast}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Three digits after a small number's point, none after a large one's; thousands apart. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-GB', {
    minimumFractionDigits: 0,
    maximumFractionDigits: digits,
  });
}
