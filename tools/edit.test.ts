import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pixels } from '../src/util/pixels';
import { diskTree } from './disk-tree';
import { readArguments } from './edit/arguments';
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
])('arguments %o are refused by name', (args, named) => {
  expect(() => readArguments(args)).toThrowError(expect.objectContaining({ code: 'BAD_REQUEST' }));
  expect(() => readArguments(args)).toThrow(named);
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

test('a model folder without a checkpoint ends the same way', async () => {
  const { code, stderr } = await edit('--demo', '--model', folder, '--out', join(folder, 'out'));
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain('model_index.json');
  expect(await readdir(folder)).toEqual(['page.jpg']);
}, 60_000);

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
  const words = ['01-a', '02-photo', '03-of', '04-a', '05-dog', '06-on', '07-a', '08-wooden', '09-table'];
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
  const recipe = JSON.parse(await readFile(join(out, 'recipe.json'), 'utf8')) as Record<string, unknown>;
  expect(recipe).toMatchObject({ method: 'dds-sm', subject: 'cat', options: { steps: 2, maskSteps: 1 } });
  expect((await edit(...demo)).code).toBe(0);
  expect((await readdir(out)).sort()).toEqual(plain);
}, 90_000);

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
