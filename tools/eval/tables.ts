/** Lines of results → tables in Markdown. */

import { type Mean, meanOf, signTest, wilcoxon } from './statistics';
import type { Line } from './store';
import { type Table, VARIANTS, type VariantName } from './variants';

/** Columns of every edit, in this order; further towers and distances come after the one they resemble. */
const COLUMNS = [
  { after: 'CLIP-I', pattern: /^CLIP-I/, digits: 3 },
  { after: 'SSIM', pattern: /^SSIM$/, digits: 3 },
  { after: 'MS-SSIM', pattern: /^MS-SSIM$/, digits: 3 },
  { after: 'LPIPS', pattern: /^LPIPS/, digits: 3 },
  { after: 'PSNR outside', pattern: /^PSNR outside$/, digits: 2 },
  { after: 'PSNR to truth', pattern: /^PSNR to truth$/, digits: 2 },
  { after: 'SSIM to truth', pattern: /^SSIM to truth$/, digits: 3 },
] as const;

const SHARES = ['class', 'identity'] as const;

interface Column {
  readonly name: string;
  readonly digits: number;
}

/** Columns that the lines have, and one of each kind that none has: it says "not run". */
function columnsOf(lines: readonly Line[]): Column[] {
  const names = [...new Set(lines.flatMap(({ metrics }) => Object.keys(metrics)))];
  return COLUMNS.flatMap(({ after, pattern, digits }) => {
    const found = names.filter((name) => pattern.test(name));
    return (found.length > 0 ? found : [after]).map((name) => ({ name, digits }));
  });
}

/** One table: a row per method and variant, then every variant against the one of reference, pair by pair. */
export function markdownTable(table: Table, lines: readonly Line[]): string {
  const columns = columnsOf(lines);
  const of = (method: string, variant: VariantName): Line[] =>
    lines.filter((line) => line.method === method && line.variant === variant);
  const rows = table.methods.flatMap((method) =>
    table.variants.map((variant) => {
      const found = of(method, variant);
      return [method, VARIANTS[variant].label, String(found.length), ...cells(found, columns)];
    }),
  );
  const others = table.variants.filter((variant) => variant !== table.against);
  const paired = table.methods.flatMap((method) =>
    others.map((variant) => [
      method,
      VARIANTS[variant].label,
      ...against(of(method, variant), of(method, table.against)),
    ]),
  );
  return [
    grid(['method', 'edit', 'pairs', ...columns.map(({ name }) => name), ...SHARES, 'seconds'], rows),
    `Against “${VARIANTS[table.against].label}”, pair by pair:`,
    grid(PAIRED, paired),
  ].join('\n\n');
}

function cells(lines: readonly Line[], columns: readonly Column[]): string[] {
  const numbers = columns.map(({ name, digits }) => withConfidence(meanOf(values(lines, name)), digits));
  const shares = SHARES.map((name) => share(values(lines, name)));
  const seconds = meanOf(lines.map((line) => line.seconds.steer + line.seconds.edit));
  return [...numbers, ...shares, withConfidence(seconds, 1)];
}

/** Values of a metric where it was run; an edit without a single difference has an infinite PSNR, which has no mean. */
const values = (lines: readonly Line[], name: string): number[] =>
  lines.flatMap(({ metrics }) => {
    const value = metrics[name];
    return value === undefined || value === null || !Number.isFinite(value) ? [] : [value];
  });

const PAIRED = [
  'method',
  'edit',
  'pairs',
  'nearer to truth',
  'p (sign)',
  'PSNR to truth, dB',
  'p (Wilcoxon)',
  'SSIM to source',
  'p (Wilcoxon)',
  'LPIPS',
  'CLIP-I',
  'identity',
];

/** What a variant gains over the one of reference, on the pairs that both have. */
function against(lines: readonly Line[], reference: readonly Line[]): string[] {
  const pairs = lines.flatMap((line) => {
    const other = reference.find(({ pair, seed }) => pair === line.pair && seed === line.seed);
    return other ? [[line, other] as const] : [];
  });
  const gains = (name: string): number[] =>
    pairs.flatMap(([a, b]) => {
      const [v, w] = [a.metrics[name], b.metrics[name]];
      return typeof v === 'number' && typeof w === 'number' && Number.isFinite(v - w) ? [v - w] : [];
    });
  const relative = (name: string): string => {
    const [now, before] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)].map((each) =>
      meanOf(values(each, name)),
    );
    return before!.n > 0 ? `${signed((100 * (now!.mean - before!.mean)) / before!.mean, 1)} %` : NOT_RUN;
  };
  const truth = gains('PSNR to truth');
  const source = gains('SSIM');
  const lpips = [...new Set(pairs.flatMap(([a]) => Object.keys(a.metrics)))].filter((name) =>
    /^LPIPS/.test(name),
  );
  return [
    String(pairs.length),
    share(truth.map((d) => Number(d > 0))),
    p(signTest(truth)),
    difference(truth, 2),
    p(wilcoxon(truth)),
    relative('SSIM'),
    p(wilcoxon(source)),
    lpips.map((name) => `${lpips.length > 1 ? `${name.slice(6)} ` : ''}${relative(name)}`).join(', ') ||
      NOT_RUN,
    difference(gains('CLIP-I'), 3),
    difference(gains('identity'), 2),
  ];
}

export const NOT_RUN = 'not run';

const signed = (value: number, digits: number): string =>
  `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
const p = (value: number): string => (value < 0.001 ? '< 0.001' : value.toFixed(3));
const share = (hits: readonly number[]): string =>
  hits.length > 0 ? `${((100 * hits.reduce((a, b) => a + b, 0)) / hits.length).toFixed(0)} %` : NOT_RUN;

export function withConfidence({ mean, confidence, n }: Mean, digits: number): string {
  if (n === 0) return NOT_RUN;
  return mean.toFixed(digits) + (confidence === null ? '' : ` ± ${confidence.toFixed(digits)}`);
}

function difference(values: readonly number[], digits: number): string {
  const { mean, confidence, n } = meanOf(values);
  if (n === 0) return NOT_RUN;
  return signed(mean, digits) + (confidence === null ? '' : ` ± ${confidence.toFixed(digits)}`);
}

/** A Markdown table. */
export const grid = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i < 2 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
