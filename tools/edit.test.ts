import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recipe } from '../src/document/document';
import { textWidth } from '../src/formats/concept-base';
import { writeTextualInversion } from '../src/formats/concept-export';
import { cropSquare } from '../src/formats/crop';
import { readConceptBase } from '../src/formats/model-folder';
import { psnr } from '../src/metrics/psnr';
import { ssim } from '../src/metrics/ssim';
import { ndArray } from '../src/util/nd-array';
import type { Pixels } from '../src/util/pixels';
import { createTorchRng } from '../src/util/random';
import { diskTree } from './disk-tree';
import { readArguments } from './edit/arguments';
import { withDemo } from './edit/input';
import { runEdit } from './edit/run';
import { readImage } from './images';
import { nodeHost } from './node-host';

const root = resolve(import.meta.dirname, '..');
const starter = join(root, 'public/models/starter');
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edit-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly stderr: string;
}

const edit = (...args: string[]): Promise<Outcome> =>
  new Promise((done) => {
    execFile('npx', ['tsx', 'tools/edit.ts', ...args], { cwd: root }, (error, _, stderr) => {
      const lines = stderr.split('\n').filter((line) => line && !line.startsWith('npm warn'));
      done({ code: error ? Number(error.code) : 0, stderr: lines.join('\n') });
    });
  });

const prompts = ['--source-prompt', 'a photo of a cat', '--target-prompt', 'a photo of a dog'];

test.each([
  [['--out', 'x'], '--source is missing'],
  [['--demo'], '--out is missing'],
  [['--demo', '--out', 'x', '--source', 'y'], 'exclude each other'],
  [['--demo', '--out', 'x', '--backend', 'cuda'], 'no backend "cuda"'],
  [['--demo', '--out', 'x', '--steps', 'many'], '--steps must be a number'],
  [['--demo', '--out', 'x', '--seed', '-1'], '--seed'],
  [['--demo', '--out', 'x', '--square', '1,2'], '--square'],
  [['--demo', '--out', 'x', '--option', 'steps'], 'NAME=VALUE'],
  [['--demo', '--out', 'x', '--nonsense'], '--nonsense'],
  [['--demo', '--out', 'x', '--fit'], 'needs a concept'],
  [['--demo', '--out', 'x', '--concept', 'c', '--fit-steps', '3'], 'goes with --fit'],
  [['--demo', '--out', 'x', '--fit-file', 'f'], 'goes with --fit'],
  [['--demo', '--out', 'x', '--concept', 'c', '--refs', 'd'], '--refs says how to fit'],
  [['--demo', '--out', 'x', '--concept', 'c', '--fit', '--fit-gamma', '9'], 'from 0 to 2'],
  [['--demo', '--out', 'x', '--concept', 'c', '--fit', '--fit-sampling', 'best'], 'guided, inverted, noise'],
])('arguments %o are refused by name', (args, named) => {
  expect(() => readArguments(args)).toThrowError(expect.objectContaining({ code: 'BAD_REQUEST' }));
  expect(() => readArguments(args)).toThrow(named);
});

test('the demo gives what the arguments leave unsaid; seed 0 is said', () => {
  const demo = { photo: '', square: { x: 1, y: 2, size: 3 }, sourcePrompt: 'a', targetPrompt: 'b', seed: 5 };
  const edit = (...args: string[]) => withDemo(readArguments(['--demo', '--out', 'x', ...args]).edit, demo);
  expect(edit()).toMatchObject({ sourcePrompt: 'a', targetPrompt: 'b', seed: 5, square: { x: 1 } });
  expect(edit('--seed', '0', '--square', '0,0,9')).toMatchObject({ seed: 0, square: { x: 0, size: 9 } });
  expect(edit('--seed', '7', '--target-prompt', 'c')).toMatchObject({ targetPrompt: 'c', seed: 7 });
});

test('every option of a fit has a flag', () => {
  const args = ['--demo', '--out', 'x', '--concept', 'c', '--fit', '--fit-file', 'f'];
  const flags = ['--fit-ddim-steps', '5', '--fit-learning-rate', '0.001', '--fit-one-step', 'sds'];
  expect(readArguments([...args, ...flags]).fit).toEqual({
    file: 'f',
    refs: null,
    options: { ddimSteps: 5, learningRate: 0.001, oneStep: 'sds' },
  });
  expect(readArguments(args).fit!.options).toEqual({});
});

test('a file that is not a picture ends in one line, exit code 2 and nothing written', async () => {
  const file = join(folder, 'page.jpg');
  await writeFile(file, '<!doctype html><title>not found</title>');
  const { code, stderr } = await edit('--source', file, ...prompts, '--out', join(folder, 'out'));
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain('page.jpg');
  expect(await readdir(folder)).toEqual(['page.jpg']);
}, 60_000);

test('an --out that is a file is refused before anything is read, and left as it is', async () => {
  const out = join(root, 'package.json');
  const before = await readFile(out, 'utf8');
  const { code, stderr } = await edit('--source', join(folder, 'none.jpg'), ...prompts, '--out', out);
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain(`cannot write to ${out}`);
  expect(await readFile(out, 'utf8')).toBe(before);
}, 60_000);

test('a model folder without a checkpoint ends the same way', async () => {
  const before = await readdir(folder);
  const { code, stderr } = await edit('--demo', '--model', folder, '--out', join(folder, 'out'));
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain('model_index.json');
  expect(await readdir(folder)).toEqual(before);
}, 60_000);

/** What metrics.json of a demo edit says agrees with the pictures beside it, and its times with each other. */
async function checkMetrics(out: string): Promise<void> {
  const { backend, milliseconds, ...compared } = JSON.parse(
    await readFile(join(out, 'metrics.json'), 'utf8'),
  );
  expect(backend).toBe('node');
  const { load, encode, text, decode, edit: steps, stepMedian, firstPreview, total } = milliseconds;
  for (const ms of [load, encode, text, decode, stepMedian, firstPreview]) expect(ms).toBeGreaterThan(0);
  expect(stepMedian).toBeLessThan(steps);
  expect(Math.max(load + encode + text + decode + steps, firstPreview)).toBeLessThan(total);

  const { square } = JSON.parse(await readFile(join(out, 'recipe.json'), 'utf8')) as Recipe;
  const before = await cropSquare(await readImage(join(root, 'public/demo/cat-on-table.jpg')), square, 128);
  const result = await cropSquare(await readImage(join(out, 'result.png')), square, 128);
  const pictures = { result, model: await readImage(join(out, 'square.png')) };
  expect(Object.keys(compared).sort()).toEqual(['model', 'result']);
  for (const [name, picture] of Object.entries(pictures)) {
    const measured = compared[name];
    expect(measured.psnr).toBeCloseTo(psnr(before, picture)!, 6);
    expect(measured.ssim).toBeCloseTo(ssim(before, picture)!, 6);
    // the automatic mask: most of the change is inside
    expect(measured.psnrInside).toBeLessThan(measured.psnr);
    expect(measured.psnrOutside).toBeGreaterThan(measured.psnr);
    expect(measured.ssimInside).toBeLessThan(measured.ssim);
    expect(measured.ssimOutside).toBeGreaterThan(measured.ssim);
  }
}

test('an edit leaves its outputs, what was asked for besides, and nothing of an earlier run', async () => {
  const out = join(folder, 'out');
  const demo = ['--demo', '--steps', '2', '--option', 'maskSteps=1', '--out', out];
  const { code } = await edit(...demo, '--attention', '--directions');
  expect(code).toBe(0);
  const plain = ['frames', 'metrics.json', 'recipe.json', 'result.png', 'square.png'];
  expect((await readdir(out)).sort()).toEqual(['attention', 'directions', ...plain]);
  for (const series of ['frames', 'directions']) {
    expect((await readdir(join(out, series))).sort()).toEqual(['0001.png', '0002.png']);
    expect((await readImage(join(out, series, '0002.png'))).width).toBe(128);
  }
  const attention = join(out, 'attention');
  expect((await readdir(attention)).sort()).toEqual(['attention.json', 'sheet.png', 'source', 'target']);
  const recipe = JSON.parse(await readFile(join(out, 'recipe.json'), 'utf8')) as Recipe;
  expect(recipe).toMatchObject({ method: 'dds-sm', subject: 'cat', options: { steps: 2, maskSteps: 1 } });
  const words = recipe.targetPrompt.split(' ').map((word, i) => `0${i + 1}-${word}`);
  expect((await readdir(join(attention, 'target'))).sort()).toEqual(words);
  expect((await readdir(join(attention, 'source', '05-cat'))).sort()).toEqual([
    'all-16.png',
    'all-8.png',
    'decoder-16.png',
    'decoder-8.png',
    'encoder-16.png',
    'encoder-8.png',
    'middle-8.png',
  ]);
  await checkMetrics(out);
  expect((await edit(...demo)).code).toBe(0);
  expect((await readdir(out)).sort()).toEqual(plain);
}, 180_000);

test('the same seed gives the same picture; a black mask leaves the photo alone', async () => {
  const data = Uint8ClampedArray.from({ length: 4 * 160 * 140 }, (_, i) =>
    i % 4 === 3 ? 255 : (i * i) % 230,
  );
  const photo = { data, width: 160, height: 140 };
  const black = { ...photo, data: data.map((_, i) => (i % 4 === 3 ? 255 : 0)) };
  const run = (seed: number, mask: typeof photo | null = null) =>
    runEdit(
      nodeHost(async () => diskTree(starter)),
      {
        photo,
        photoName: 'noise',
        mask,
        model: 'starter',
        directions: true,
        edit: {
          sourcePrompt: 'a photo of a cat on grass',
          targetPrompt: 'a photo of a dog on grass',
          subject: null,
          method: 'dds-sm',
          seed,
          options: { steps: 2, maskSteps: 1 },
          square: { x: 10, y: 5, size: 130 },
        },
      },
    );
  const [first, again, other, masked] = [await run(1), await run(1), await run(2), await run(1, black)];
  expect(again.edited.data).toEqual(first.edited.data);
  expect(other.edited.data).not.toEqual(first.edited.data);
  expect(masked.edited.data).toEqual(masked.reconstruction.data);
  // no change at all is an even brown; change is not
  const spread = ({ data }: Pixels, channel: number): number => {
    const values = data.filter((_, i) => i % 4 === channel);
    return Math.max(...values) - Math.min(...values);
  };
  for (const picture of masked.directions) {
    expect([0, 1, 2].every((channel) => spread(picture, channel) < 16)).toBe(true);
    const [red, green, blue] = picture.data.slice(4 * 64 * 128 + 4 * 64) as unknown as number[];
    expect(red! > green! && green! > blue! && blue! > 60 && red! < 190).toBe(true);
  }
  expect(spread(first.directions[0]!, 0)).toBeGreaterThan(40);
  expect(first.directions).toHaveLength(2);
}, 60_000);

test('a concept is fitted first; its fit is kept, reused for the same and never overwritten', async () => {
  const base = await readConceptBase(diskTree(starter));
  const width = textWidth(base);
  const vectors = ndArray(createTorchRng(1).randn(width), [1, width]);
  const about = { title: 'Miso', method: 'textual-inversion', classWord: 'cat', resolution: 128 } as const;
  const file = { base, about: { ...about, predictionType: 'epsilon', appVersion: '1', date: '' } } as const;
  const bytes = await writeTextualInversion({ token: '<miso>', vectors }, file);
  const [concept, fit, out] = ['miso.safetensors', 'fit.safetensors', 'fitted'].map((name) =>
    join(folder, name),
  );
  await writeFile(concept!, bytes);
  const target = ['--target-prompt', 'a photo of a cat on a wooden table', '--concept', concept!];
  const options = { steps: 2, ddimSteps: 2, samples: 1 };
  const flags = [
    '--fit',
    '--fit-steps',
    '2',
    '--fit-ddim-steps',
    '2',
    '--fit-samples',
    '1',
    '--fit-file',
    fit!,
  ];
  const { code, stderr } = await edit('--demo', ...target, '--steps', '1', ...flags, '--out', out!);
  expect(code, stderr).toBe(0);
  expect(await readdir(join(out!, 'guided'))).toEqual(['0001.png']);
  const read = async (name: string) => JSON.parse(await readFile(join(out!, name), 'utf8'));
  const metrics = await read('metrics.json');
  expect(metrics.fit).toMatchObject({ cached: false, steps: 2 });
  expect(metrics.fit.log.map(Object.keys)).toEqual(
    Array(2).fill(['delta2', 'gap', 'modeShift', 'gradNorm', 'applied']),
  );
  const recipe: Recipe = await read('recipe.json');
  expect(recipe.fit!.key).toBe(metrics.fit.key);

  const kept = { name: 'fit.safetensors', bytes: new Uint8Array(await readFile(fit!)) };
  const again = async (seed: number) =>
    runEdit(
      nodeHost(async () => diskTree(starter)),
      {
        photo: await readImage(join(root, 'public/demo/cat-on-table.jpg')),
        photoName: 'cat',
        mask: null,
        model: 'starter',
        concept: { name: 'miso.safetensors', bytes },
        fit: { options, references: [], file: kept },
        edit: { ...recipe, subject: null, seed, options: { ...recipe.options } },
      },
    );
  const reused = await again(recipe.seed);
  expect(reused.fit!.result).toMatchObject({ cached: true, fit: { key: metrics.fit.key } });
  expect(reused.result.recipe).toEqual(recipe);
  await expect(again(7)).rejects.toThrow('the fit of something else');

  const [refs, learnedOn] = [join(folder, 'refs'), join(folder, 'learned-on')];
  await mkdir(refs);
  await copyFile(join(root, 'public/demo/cat-on-table.jpg'), join(refs, 'cat.jpg'));
  const own = await edit(
    '--demo',
    ...target,
    '--steps',
    '1',
    ...flags.slice(0, -2),
    '--refs',
    refs,
    '--out',
    learnedOn,
  );
  expect(own.code, own.stderr).toBe(0);
  expect(await readdir(learnedOn)).not.toContain('guided');
  const { fit: onPictures } = JSON.parse(await readFile(join(learnedOn, 'metrics.json'), 'utf8'));
  expect(onPictures.log.map(Object.keys)).toEqual(
    Array(2).fill(['delta2', 'gap', 'pictures', 'gradNorm', 'applied']),
  );
}, 180_000);
