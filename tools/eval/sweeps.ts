/** Options tried at several values, one option at a time, all else as recommended. */
import { groups } from '../../src/util/groups';
import type { EvalArguments } from './arguments';
import { type Circumstances, head, page, secondsOf } from './report';
import type { Outcome } from './runs';
import type { Override, Sweep } from './settings';
import { meanOf } from './statistics';
import type { Line } from './store';
import { grid, withConfidence } from './tables';
import { METHODS, type Method, type VariantName } from './variants';

type Execute = (plan: {
  readonly methods: readonly Method[];
  readonly variants: readonly VariantName[];
  readonly overrides: readonly Override[];
}) => Promise<Outcome>;

const COLUMNS: readonly (readonly [name: string, digits: number])[] = [
  ['PSNR to truth', 2],
  ['SSIM to truth', 3],
  ['CLIP-I', 3],
  ['SSIM', 3],
  ['PSNR outside', 2],
  ['class', 2],
  ['identity', 2],
];

/** A section per swept option: a row per value and method. The row nearest to the truth is in bold. */
export async function sweepsPage(
  args: Pick<EvalArguments, 'sweeps' | 'methods' | 'variants' | 'overrides'>,
  circumstances: Circumstances,
  execute: Execute,
): Promise<string> {
  const sections: string[] = [];
  const all: Line[] = [];
  for (const sweep of args.sweeps) {
    const variants = args.variants ?? [sweep.scope === 'steer' ? 'dreamsteerer' : 'baseline'];
    const methods = sweep.method ? [sweep.method] : (args.methods ?? METHODS);
    const rows: Row[] = [];
    for (const value of sweep.values) {
      const overrides = [...args.overrides, { ...sweep, value }];
      const { lines, failures } = await execute({ methods, variants, overrides });
      all.push(...lines);
      rows.push(...rowsOf(value, methods, variants, lines, failures));
    }
    sections.push(`## ${sweep.path}\n\n${sectionTable(sweep, rows)}`);
  }
  const unique = [...new Map(all.map((line) => [line.key, line])).values()];
  return page([head('Sweeps', circumstances, secondsOf(unique)), ...sections]);
}

interface Row {
  readonly group: string;
  readonly value: Override['value'];
  readonly lines: readonly Line[];
  readonly failed: number;
}

const rowsOf = (
  value: Override['value'],
  methods: readonly Method[],
  variants: readonly VariantName[],
  lines: readonly Line[],
  failures: Outcome['failures'],
): Row[] =>
  methods.flatMap((method) =>
    variants.map((variant) => {
      const here = (run: { method: string; variant: string }) =>
        run.method === method && run.variant === variant;
      const failed = failures.filter(({ run }) => here(run)).length;
      return { group: `${method}, ${variant}`, value, lines: lines.filter(here), failed };
    }),
  );

function sectionTable({ name }: Sweep, rows: readonly Row[]): string {
  const truth = ({ lines }: Row): number =>
    meanOf(lines.map(({ metrics }) => metrics['PSNR to truth'] ?? 0)).mean;
  const best = new Set(
    groups(rows, ({ group }) => group).map((group) => group.reduce((a, b) => (truth(b) > truth(a) ? b : a))),
  );
  const cells = rows
    .toSorted((a, b) => a.group.localeCompare(b.group))
    .map((row) => [
      row.group,
      best.has(row) ? `**${row.value}**` : String(row.value),
      `${row.lines.length}${row.failed > 0 ? ` (${row.failed} not made)` : ''}`,
      ...COLUMNS.map(([metric, digits]) =>
        withConfidence(
          meanOf(
            row.lines.flatMap(({ metrics }) => (Number.isFinite(metrics[metric]) ? [metrics[metric]!] : [])),
          ),
          digits,
        ),
      ),
      withConfidence(meanOf(row.lines.map(({ seconds }) => seconds.steer + seconds.edit)), 1),
    ]);
  return grid(['method', name, 'pairs', ...COLUMNS.map(([metric]) => metric), 'seconds'], cells);
}
