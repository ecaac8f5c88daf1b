/** Command line of an edit: the same engine as the page, without it. Exit code 2: bad arguments or files. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { EditEvent } from '../src/engine/events';
import { cropSquare, cutSquare } from '../src/formats/crop';
import { stitch } from '../src/formats/stitch';
import { livePreview } from '../src/state/live-preview';
import { AppError } from '../src/util/errors';
import type { Pixels } from '../src/util/pixels';
import { readArguments, USAGE } from './edit/arguments';
import { writeAttention } from './edit/attention';
import { BACKENDS } from './edit/backends';
import type { FitOutput } from './edit/fit';
import { readInput } from './edit/input';
import { measure } from './edit/measure';
import { writeAtomically, writeImage } from './images';
import { checkOutput } from './outputs';

/** What the command may leave in --out, written aside first: nothing half-written or of an earlier run is ever there. */
const OUTPUTS = [
  'result.png',
  'square.png',
  'frames',
  'directions',
  'guided',
  'attention',
  'recipe.json',
  'metrics.json',
];

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  await checkOutput(args.out, 'folder');
  if (args.fit?.file) await checkOutput(args.fit.file, 'file');
  const input = await readInput(args);
  const out = resolve(args.out);
  const aside = join(dirname(out), `.${basename(out)}-${randomUUID()}`);
  await mkdir(aside, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new AppError('BAD_REQUEST', `cannot write beside ${out}: ${error.code}`);
  });
  try {
    const looks: Extract<EditEvent, { kind: 'preview' }>[] = [];
    const from = performance.now();
    const folder = args.model ?? join(import.meta.dirname, '../public/models/starter');
    const output = await BACKENDS[args.backend](input, folder, args.gpuMemory, (event) => {
      if (event.kind === 'preview') looks.push(event);
      const job = event.kind === 'fit' ? event.event : event;
      if (job.kind === 'notice') console.error(job.message);
      if (job.kind === 'step' || job.kind === 'guided') {
        progress(event.kind === 'fit' ? (job.kind === 'step' ? 'fit' : 'sampling') : 'edit', job);
      }
    });
    if (args.fit?.file && output.fit) {
      await mkdir(dirname(args.fit.file), { recursive: true });
      await writeAtomically(args.fit.file, output.fit.bytes);
    }
    const { recipe, timings } = output.result;
    const { edited, reconstruction: source } = output;
    // as the page: a painted mask counts at its own resolution
    const mask = input.mask ? cutSquare(input.mask, recipe.square) : output.mask;
    const result = await stitch(input.photo, recipe.square, { edited, source, mask });
    const before = await cropSquare(input.photo, recipe.square, edited.width);
    const live = livePreview(before);
    await writeSeries(
      join(aside, 'frames'),
      looks.map(({ pixels, quality }) => live(pixels, quality)),
    );
    if (output.fit?.samples.length) await writeSeries(join(aside, 'guided'), output.fit.samples);
    if (args.directions) await writeSeries(join(aside, 'directions'), output.directions);
    if (output.attention) await writeAttention(join(aside, 'attention'), output.attention, before);
    await writeImage(join(aside, 'result.png'), result, 'png', { recipe });
    await writeImage(join(aside, 'square.png'), edited, 'png');
    const total = performance.now() - from;
    const metrics = {
      backend: output.backend,
      milliseconds: { ...timings, firstPreview: output.firstPreview, total },
      ...(output.fit && { fit: fitMetrics(output.fit) }),
      ...(await measure(input.photo, result, output)),
    };
    await writeFile(join(aside, 'recipe.json'), `${JSON.stringify(recipe, null, 2)}\n`);
    await writeFile(join(aside, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`);
    const fitted = !output.fit ? '' : output.fit.result.cached ? 'fit reused, ' : 'fitted, ';
    await mkdir(out, { recursive: true });
    for (const name of OUTPUTS) {
      await rm(join(out, name), { recursive: true, force: true });
    }
    for (const name of await readdir(aside)) await rename(join(aside, name), join(out, name));
    console.log(
      `${out}: ${fitted}${recipe.subject ?? 'everything'} changed in ${output.result.steps} steps, ${(total / 1000).toFixed(1)} s`,
    );
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** 0001.png, 0002.png … */
async function writeSeries(folder: string, pictures: readonly Pixels[]): Promise<void> {
  await mkdir(folder);
  for (const [i, picture] of pictures.entries()) {
    await writeImage(join(folder, `${String(i + 1).padStart(4, '0')}.png`), picture, 'png');
  }
}

/** What metrics.json says of a fit; `log` has the metrics of every step. */
const fitMetrics = ({ result: { fit, cached, metrics, timings }, firstPreview, log }: FitOutput) => ({
  key: fit.key,
  cached,
  steps: fit.steps,
  milliseconds: { ...timings, firstPreview },
  metrics,
  log,
});

function progress(what: string, { index, total }: { readonly index: number; readonly total: number }): void {
  if (!process.stderr.isTTY) return;
  const done = index + 1;
  process.stderr.write(done < total ? `\r${what}: step ${done} of ${total}` : '\r\x1b[K');
}

if (process.argv.includes('--help')) console.log(USAGE);
else
  await main().catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    console.error(
      error.code === 'BAD_REQUEST' ? `${error.message} (--help lists the arguments)` : error.message,
    );
    process.exitCode = 2;
  });
