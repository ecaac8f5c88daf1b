/** Command line of learning: the same engine as the page, without it. Exit code 2: bad arguments or files; 130: Ctrl-C. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '../src/util/errors';
import { readPictures, writeAtomically, writeImage } from './images';
import { type LearnArguments, readArguments, USAGE } from './learn/arguments';
import { BACKENDS } from './learn/backends';
import type { LearnInput, LearnNews } from './learn/run';
import { checkOutput } from './outputs';

/** Checkpoints of this run that stay on disk; the last of them is there after Ctrl-C. */
const RING = 3;

async function readInput(args: LearnArguments): Promise<LearnInput> {
  const { refs, resume, model } = args;
  const pictures = await readPictures(refs);
  const state = resume === null ? null : await readCheckpoint(resume);
  return { ...args, pictures, model: model ? basename(resolve(model)) : 'starter', resume: state };
}

const readCheckpoint = (path: string): Promise<Uint8Array<ArrayBuffer>> =>
  readFile(path).then(
    (bytes) => new Uint8Array(bytes),
    (error: NodeJS.ErrnoException) => {
      throw new AppError('BAD_REQUEST', `cannot read the checkpoint ${path}: ${error.code}`);
    },
  );

/** Writes things one after another, in the order they came. */
class Disk {
  #tail: Promise<unknown> = Promise.resolve();

  add(write: () => Promise<unknown>): void {
    this.#tail = this.#tail.then(write);
    // a failure is reported by `done`
    this.#tail.catch(() => {});
  }

  done(): Promise<unknown> {
    return this.#tail;
  }
}

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  await checkOutput(args.out, 'file');
  if (args.samples) await checkOutput(args.samples, 'folder');
  const input = await readInput(args);
  const out = resolve(args.out);
  await mkdir(dirname(out), { recursive: true });
  if (args.samples) await mkdir(args.samples, { recursive: true });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new DOMException('stopped', 'AbortError')));
  const disk = new Disk();
  const kept: string[] = [];
  const from = performance.now();
  const watch = (news: LearnNews): void => {
    if (news.kind === 'plan') console.error(planned(news));
    else if (news.kind === 'notice') console.error(news.message);
    else if (news.kind === 'stage')
      console.error(news.name + (news.fraction ? ` ${percent(news.fraction)}` : ''));
    else if (news.kind === 'step') progress(news, from);
    else if (news.kind === 'sample' && args.samples) {
      const path = join(args.samples, `${String(news.step).padStart(5, '0')}.png`);
      disk.add(() => writeImage(path, news.pixels, 'png'));
    } else if (news.kind === 'checkpoint') {
      const path = unused(out.replace(/\.safetensors$/, `.step-${news.step}`));
      kept.push(path);
      disk.add(() => writeAtomically(path, news.bytes));
      const old = kept.at(-1 - RING);
      if (old) disk.add(() => rm(old));
    }
  };
  const folder = args.model ?? join(import.meta.dirname, '../public/models/starter');
  try {
    const { result, file } = await BACKENDS[args.backend](input, folder, watch, stop.signal, args);
    disk.add(() => writeAtomically(out, file));
    await disk.done();
    const { learned, timings } = result;
    const share = percent(timings.overheadShare ?? 0);
    console.log(
      `${args.out}: ${learned.subject}, ${learned.steps} steps, ${seconds(performance.now() - from)} ` +
        `(a step ${Math.round(timings.stepMedian ?? 0)} ms, samples and checkpoints ${share}), ${file.length} bytes`,
    );
  } catch (error) {
    await disk.done();
    if (!stop.signal.aborted || error instanceof AppError) throw error;
    const last = kept.at(-1);
    console.error(last ? `stopped; resume with --resume ${last}` : 'stopped before the first step');
    process.exitCode = 130;
  }
}

const planned = ({ pictures, perPicture, steps }: Extract<LearnNews, { kind: 'plan' }>): string =>
  Number.isInteger(perPicture)
    ? `will run ${steps} steps = ${pictures} pictures × ${perPicture}`
    : `will run ${steps} steps on ${pictures} pictures`;
/** A name that no older run took. */
function unused(stem: string): string {
  for (let i = 1; ; i++) {
    const path = `${stem}${i > 1 ? `-${i}` : ''}.checkpoint`;
    if (!existsSync(path)) return path;
  }
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** One line per tenth of the run; on a terminal every step on one line. */
function progress({ index, total, metrics }: Extract<LearnNews, { kind: 'step' }>, from: number): void {
  const done = index + 1;
  const line = `step ${done} of ${total}, loss ${metrics?.loss?.toFixed(4)}, ${seconds(performance.now() - from)}`;
  if (process.stderr.isTTY) process.stderr.write(done < total ? `\r${line}` : `\r\x1b[K${line}\n`);
  else if (done === total || done % Math.ceil(total / 10) === 0) console.error(line);
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
