/** Command line of the evaluation. Exit code 2: bad arguments or files. */
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError } from '../src/util/errors';
import { type EvalArguments, readArguments, USAGE } from './eval/arguments';
import { conceptsPage } from './eval/concepts';
import { readData } from './eval/data';
import { openInstruments } from './eval/instruments';
import { openLab } from './eval/lab';
import { type Circumstances, resultsName, tablesPage, writePage } from './eval/report';
import { executeRuns, type Outcome, planRuns } from './eval/runs';
import { openStore } from './eval/store';
import { sweepsPage } from './eval/sweeps';
import { TABLES, type Table } from './eval/variants';
import { writeImage } from './images';
import { checkOutput } from './outputs';

const DOCS = join(import.meta.dirname, '../docs');

async function main(argv: readonly string[]): Promise<void> {
  const args = readArguments(argv);
  await checkOutput(args.out, 'folder');
  const data = await readData(args.data);
  const store = await openStore(resolve(args.out));
  if (store.lines.size > 0 && !args.resume) {
    throw new AppError('BAD_REQUEST', `${args.out} has results; --resume goes on with them`);
  }
  const lab = await openLab(args.model, args.threads);
  const instruments = await openInstruments(lab, data, args);
  const circumstances: Circumstances = {
    command: ['npm run eval --', ...argv].join(' '),
    data,
    seeds: args.seeds,
    model: lab.hash,
    machine: `${args.threads} ${args.threads === 1 ? 'thread' : 'threads'} of ${cpus()[0]?.model ?? 'an unknown CPU'}`,
    how: instruments.recogniser.how,
    absent: absentOf(args),
  };
  const pairs = data.pairs.slice(0, args.pairs);
  const folders = [store.folder, ...(args.publish ? [DOCS] : [])];
  const say = (text: string) => console.error(text);
  const execute = (plan: Pick<Parameters<typeof planRuns>[1], 'methods' | 'variants' | 'overrides'>) =>
    executeRuns(
      lab,
      data,
      store,
      instruments,
      planRuns(lab.recommended, { ...plan, pairs, seeds: args.seeds }),
      say,
    );

  if (args.job === 'concepts') {
    const { text, sheet } = await conceptsPage(lab, store, instruments, circumstances, args, say);
    for (const folder of folders) {
      await writePage(folder, 'concepts.md', text);
      await writeImage(join(folder, 'concepts.jpg'), sheet, 'jpeg', { quality: 75 });
    }
  } else if (args.job === 'sweeps') {
    const text = await sweepsPage(args, circumstances, execute);
    for (const folder of folders) await writePage(folder, 'sweeps.md', text);
  } else {
    const done = new Map<string, { table: Table; outcome: Outcome }>();
    for (const number of args.tables) {
      const full = TABLES[number]!;
      const table = { ...full, methods: full.methods.filter((m) => args.methods?.includes(m) ?? true) };
      done.set(number, { table, outcome: await execute({ ...table, overrides: args.overrides }) });
      for (const folder of folders) {
        const text = await tablesPage(folder, circumstances, done, store);
        await writePage(folder, `${resultsName(data)}.md`, text);
      }
    }
  }
  console.log(`written to ${folders.join(' and ')}`);
}

/** Measures of the field that would need weights nobody supplied: said, never guessed. */
const absentOf = ({ lpips, towers }: EvalArguments): string[] => [
  ...(lpips.size > 0 ? [] : ['LPIPS (--lpips)']),
  ...(towers.size > 0 ? [] : ['CLIP-I of ViT-B/32 and L/14 (--clip)']),
  'TOPIQ',
  'MUSIQ',
  'LIQE',
];

if (process.argv.includes('--help')) console.log(USAGE);
else
  await main(process.argv.slice(2)).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    console.error(
      error.code === 'BAD_REQUEST' ? `${error.message} (--help lists the arguments)` : error.message,
    );
    process.exitCode = 2;
  });
