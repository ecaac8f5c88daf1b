/** Results as pages of docs/: tables in Markdown, contact sheets beside them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pixels } from '../../src/util/pixels';
import { readImage, writeAtomically, writeImage } from '../images';
import { conceptOf, type EvalData, type EvalPair, picture } from './data';
import { duration, type Outcome } from './runs';
import { contactSheet } from './sheet';
import type { Line, Store } from './store';
import { markdownTable } from './tables';
import { type Table, VARIANTS } from './variants';

/** Where and how the numbers were made: the head of every page. */
export interface Circumstances {
  readonly command: string;
  readonly data: EvalData;
  readonly seeds: readonly number[];
  /** SHA-256 of the checkpoint */
  readonly model: string;
  readonly machine: string;
  readonly how: string;
  /** networks that would need weights nobody supplied */
  readonly absent: readonly string[];
}

export const head = (title: string, c: Circumstances, seconds: number): string =>
  [
    `# ${title}`,
    `    ${c.command}`,
    `Set “${c.data.set}” (seed ${c.data.seed}), edits with seed ${c.seeds.join(', ')}, weights ${c.model.slice(0, 12)}, ` +
      `${c.machine}, ${duration(seconds)} in all. Identities that occur in no training scene. ` +
      `The true edit is the same scene with the concept’s figure in it, rendered.`,
    `Identity: the figure of ${c.data.concepts.length + c.data.distractors.length} (concepts and the figures of the source ` +
      `scenes) whose reference pictures are nearest by CLIP-I; ${c.how}. CLIP-I is to the reference pictures; SSIM, ` +
      `MS-SSIM and LPIPS to the source; PSNR outside where the true edit changes nothing, in dB. MS-SSIM of pictures ` +
      `below 161 px is taken at 256 px. ± is the 95 % confidence interval of the mean (Student’s t).`,
    ...(c.absent.length > 0 ? [`Not run for lack of weights: ${c.absent.join(', ')}.`] : []),
  ].join('\n\n');

/** All seconds that went into lines, each concept's learning once. */
export function secondsOf(lines: readonly Line[]): number {
  const learning = new Map(
    lines.map((l) => [
      [l.concept, l.method, VARIANTS[l.variant].edit, l.seconds.learn].join(),
      l.seconds.learn,
    ]),
  );
  const each = lines.reduce((sum, { seconds }) => sum + seconds.steer + seconds.edit, 0);
  return each + [...learning.values()].reduce((a, b) => a + b, 0);
}

/** Name of the page: the quick set's has none of its own. */
export const resultsName = ({ set }: EvalData): string => (set === 'quick' ? 'results' : `results-${set}`);

/** Sections of the page of results, and their sheets in `folder`. */
export async function tablesPage(
  folder: string,
  circumstances: Circumstances,
  tables: ReadonlyMap<string, { readonly table: Table; readonly outcome: Outcome }>,
  store: Store,
): Promise<string> {
  const sections: string[] = [];
  const all = new Map<string, Line>();
  for (const [number, { table, outcome }] of tables) {
    for (const line of outcome.lines) all.set(line.key, line);
    const sheet = `${resultsName(circumstances.data)}-table-${number}.jpg`;
    const shown = await writeSheet(join(folder, sheet), circumstances.data, table, outcome.lines, store);
    sections.push(
      [
        `## Table ${number}: ${table.title}`,
        markdownTable(table, outcome.lines),
        ...failuresOf(outcome),
        ...(shown ? [`![Table ${number}](${sheet})`, shown] : []),
      ].join('\n\n'),
    );
  }
  return page([head('Results', circumstances, secondsOf([...all.values()])), ...sections]);
}

export const page = (sections: readonly string[]): string => `${sections.join('\n\n')}\n`;

const failuresOf = ({ failures }: Outcome): string[] =>
  failures.length > 0
    ? [
        `Not made: ${failures.map(({ run, why }) => `${run.pair} ${run.method} ${run.variant} (${why})`).join('; ')}.`,
      ]
    : [];

/** Rows of a sheet at most, spread over the set. */
const SHEET_ROWS = 6;

/**
 * Source, one reference, every edit, truth: a row per pair.
 *
 * @returns what the columns are; null when there is nothing to show
 */
async function writeSheet(
  path: string,
  data: EvalData,
  table: Table,
  lines: readonly Line[],
  store: Store,
): Promise<string | null> {
  const made = data.pairs.filter(({ id }) => lines.some(({ pair }) => pair === id));
  if (made.length === 0) return null;
  const rows = Math.min(SHEET_ROWS, made.length);
  // from first to last: pairs of a concept lie as far apart as there are concepts
  const pairs = Array.from(
    { length: rows },
    (_, i) => made[Math.round((i * (made.length - 1)) / (rows - 1 || 1))]!,
  );
  const edits = table.methods.flatMap((method) => table.variants.map((variant) => ({ method, variant })));
  const kept = edits.filter((e) => lines.some((l) => l.method === e.method && l.variant === e.variant));
  const row = async (pair: EvalPair): Promise<(Pixels | null)[]> => {
    const show = (file: string) => picture(data, file, data.size);
    const edited = kept.map(async ({ method, variant }) => {
      const line = lines.find((l) => l.pair === pair.id && l.method === method && l.variant === variant);
      return line ? readImage(store.picturePath(line.key)) : null;
    });
    const reference = conceptOf(data, pair.concept).references[0]!;
    return Promise.all([show(pair.source), show(reference), ...edited, show(pair.truth)]);
  };
  const pictures = await Promise.all(pairs.map(row));
  const side = Math.max(data.size, ...pictures.flat().map((p) => p?.width ?? 0));
  await writeImage(path, contactSheet(pictures, side), 'jpeg', { quality: 60 });
  const columns = kept.map(({ method, variant }) => `${method}: ${VARIANTS[variant].label}`);
  return `Columns: source, reference, ${columns.join(', ')}, truth.`;
}

/** Writes a page into the folders, which must exist already or are made. */
export async function writePage(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeAtomically(join(folder, name), text);
}
