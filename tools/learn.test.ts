import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArguments } from './learn/arguments';

const root = resolve(import.meta.dirname, '..');
let folder = '';
let refs = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'learn-'));
  refs = join(folder, 'refs');
  await mkdir(refs);
  for (const i of [1, 2]) await copyFile(join(root, `public/demo/miso-${i}.jpg`), join(refs, `${i}.jpg`));
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param interrupt  send Ctrl-C once this is said */
const tool = (name: string, args: readonly string[], interrupt?: RegExp): Promise<Outcome> =>
  new Promise((done) => {
    const child = spawn(process.execPath, ['--import', 'tsx', `tools/${name}.ts`, ...args], { cwd: root });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
      if (!interrupt?.test(stderr)) return;
      child.kill('SIGINT');
      interrupt = undefined;
    });
    child.on('close', (code) => done({ code, stdout, stderr: stderr.trim() }));
  });
const learn = (args: readonly string[], interrupt?: RegExp) =>
  tool('learn', ['--class-word', 'cat', '--threads', '1', ...args], interrupt);

const least = ['--refs', 'r', '--class-word', 'cat', '--out', 'x.safetensors'];
test.each([
  [['--class-word', 'cat', '--out', 'x.safetensors'], '--refs is missing'],
  [['--refs', 'r', '--out', 'x.safetensors'], '--class-word is missing'],
  [['--refs', 'r', '--class-word', 'cat'], '--out is missing'],
  [['--refs', 'r', '--class-word', 'cat', '--out', 'x.pt'], 'must end in .safetensors'],
  [[...least, '--steps', '0'], '--steps must be a whole number from 1'],
  [[...least, '--preset', 'great'], 'no preset "great"'],
  [[...least, '--backend', 'cuda'], 'no backend "cuda"'],
  [[...least, '--option', 'rank'], 'NAME=NUMBER'],
  [[...least, '--nonsense'], '--nonsense'],
])('arguments %o are refused by name', (args, named) => {
  expect(() => readArguments(args)).toThrowError(expect.objectContaining({ code: 'BAD_REQUEST' }));
  expect(() => readArguments(args)).toThrow(named);
});

test.each<[string, string[], string]>([
  ['a folder that is not there', ['--refs', '/nowhere'], '/nowhere'],
  ['an unknown method', ['--method', 'magic'], 'no method "magic"'],
  ['an unknown option', ['--option', 'depth=2'], 'no option "depth"'],
  ['an --out below a file', ['--out', join(root, 'package.json/x.safetensors')], 'package.json is a file'],
  ['samples in a file', ['--samples', join(root, 'package.json')], 'package.json is a file'],
  ['a checkpoint that is none', ['--resume', join(root, 'package.json')], 'the checkpoint'],
])(
  '%s ends in one line and exit code 2',
  async (_, args, named) => {
    const all = ['--refs', refs, '--out', join(folder, 'none.safetensors'), ...args];
    const { code, stderr } = await learn(all);
    expect(code).toBe(2);
    expect(stderr.split('\n').at(-1)).toContain(named);
    expect(stderr).not.toContain('    at ');
    expect(await readdir(folder)).not.toContain('none.safetensors');
  },
  60_000,
);

test('an evaluation into a file ends the same way', async () => {
  const { code, stderr } = await tool('eval', ['--quick', '--out', join(root, 'package.json')]);
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain('package.json is a file');
}, 60_000);

test('a picture that cannot be read ends in one line that names it', async () => {
  const broken = join(folder, 'broken');
  await mkdir(broken);
  await writeFile(join(broken, 'page.jpg'), '<!doctype html>');
  const { code, stderr } = await learn(['--refs', broken, '--out', join(folder, 'none.safetensors')]);
  expect(code).toBe(2);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).toContain('page.jpg');
}, 60_000);

test('a concept is learned, stopped by Ctrl-C, resumed to its end, and used by an edit', async () => {
  const out = join(folder, 'miso.safetensors');
  const samples = join(folder, 'samples');
  const args = ['--refs', refs, '--out', out, '--steps', '60', '--samples', samples];
  const stopped = await learn(args, /step 6 of 60/);
  expect(stopped.code, stopped.stderr).toBe(130);
  expect(stopped.stderr).toContain('will run 60 steps = 2 pictures × 30');
  const checkpoint = /--resume (.+\.checkpoint)$/.exec(stopped.stderr)![1]!;

  const resumed = await learn([...args, '--resume', checkpoint]);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.stderr).not.toContain('step 6 of 60');
  expect(resumed.stdout).toContain('v cat, 60 steps');
  expect(await readdir(samples)).toContain('00060.png');
  expect(await readdir(folder), 'the checkpoint stays').toContain(checkpoint.split('/').at(-1));

  const photo = join(root, 'public/demo/cat-on-table.jpg');
  const words = ['--source-prompt', 'a photo of a cat', '--target-prompt', 'a photo of a cat'];
  const edit = (concept: string) =>
    tool('edit', [
      '--source',
      photo,
      ...words,
      '--steps',
      '2',
      '--out',
      join(folder, 'e'),
      '--concept',
      concept,
    ]);
  expect((await edit(out)).stdout).toContain('cat changed in 2 steps');
  const other = await edit(join(root, 'src/formats/golden/concepts/lora_kohya.safetensors'));
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('was made for');
}, 180_000);
