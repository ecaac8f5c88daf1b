import { appendFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArguments } from './arguments';
import { picture, readData } from './data';
import { openInstruments } from './instruments';
import { openLab } from './lab';
import { measureEdit } from './measure';
import { executeRuns, planRuns } from './runs';
import { parseOverride, parseSweep } from './settings';
import { openStore } from './store';

const root = join(import.meta.dirname, '../..');
const lab = await openLab(join(root, 'public/models/starter'), 1);
const data = await readData(join(import.meta.dirname, 'quick'));
const instruments = await openInstruments(lab, data, { lpips: new Map(), towers: new Map() });
const overrides = ['learn.steps=1', 'edit.steps=1', 'edit.maskSteps=1'].map(parseOverride);
const plan = {
  methods: ['textual-inversion'] as const,
  variants: ['baseline', 'dds'] as const,
  pairs: data.pairs.slice(0, 1),
  seeds: [3],
  overrides,
};
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eval-'));
});
afterAll(() => rm(folder, { recursive: true }));

const run = async (given: Parameters<typeof planRuns>[1] = plan) => {
  const said: string[] = [];
  const store = await openStore(folder);
  const outcome = await executeRuns(lab, data, store, instruments, planRuns(lab.recommended, given), (text) =>
    said.push(text),
  );
  return { ...outcome, said };
};

test('an interrupted evaluation goes on where it stopped, and makes nothing twice', async () => {
  const first = await run({ ...plan, variants: ['baseline'] });
  expect(first.said).toHaveLength(1);
  // as an interruption leaves it: a line cut off
  await appendFile(join(folder, 'results.jsonl'), '{"key":"half');
  const [concept] = await readdir(join(folder, 'cache'));
  const learnedAt = (await stat(join(folder, 'cache', concept!))).mtimeMs;

  const second = await run();
  expect(second.said).toHaveLength(1);
  expect(second.lines).toHaveLength(2);
  expect(second.lines[0]).toEqual(first.lines[0]);
  expect((await stat(join(folder, 'cache', concept!))).mtimeMs).toBe(learnedAt);

  const before = await readFile(join(folder, 'results.jsonl'), 'utf8');
  const third = await run();
  expect(third.said).toEqual([]);
  expect(third.lines).toEqual(second.lines);
  expect(await readFile(join(folder, 'results.jsonl'), 'utf8')).toBe(before);
  expect(await readdir(join(folder, 'pictures'))).toHaveLength(2);
});

test('edits of the other kind are made too, and leave out options that are not theirs', async () => {
  const few = ['edit.steps=6', 'edit.nullSteps=1', 'edit.stepSize=1'].map(parseOverride);
  const { lines } = await run({ ...plan, variants: ['custom-edit'], overrides: [...overrides, ...few] });
  const { options, metrics } = lines[0]!;
  expect(options.edit).toMatchObject({ steps: 6, nullSteps: 1 });
  expect(options.edit).not.toHaveProperty('stepSize');
  expect(metrics['PSNR outside']).toBeGreaterThan(15);
});

test('the true edit and the unchanged photo are the ends of every scale', async () => {
  const pair = data.pairs[0]!;
  const measured = async (file: string) =>
    measureEdit(data, pair, await picture(data, file, data.size), instruments);
  const [truth, source] = [await measured(pair.truth), await measured(pair.source)];
  expect(truth).toMatchObject({ 'PSNR to truth': Number.POSITIVE_INFINITY, identity: 1 });
  expect(truth['SSIM to truth']).toBeCloseTo(1, 12);
  expect(truth['PSNR outside']).toBeGreaterThan(40);
  expect(source).toMatchObject({ 'PSNR outside': Number.POSITIVE_INFINITY, identity: 0 });
  expect([source.SSIM, source['MS-SSIM']]).toEqual([1, 1].map((v) => expect.closeTo(v, 12)));
  expect(truth['CLIP-I']).toBeGreaterThan(source['CLIP-I']!);
  expect(truth.SSIM).toBeLessThan(1);
});

test('options that do not fit are refused before anything runs', () => {
  const planned = (text: string) => () =>
    planRuns(lab.recommended, { ...plan, overrides: [parseOverride(text)] });
  expect(planned('edit.magic=1')).toThrow(/magic/);
  expect(planned('learn.steps=0')).toThrow(/steps must be/);
  expect(() => parseSweep('edit.steps')).toThrow(/not \[METHOD/);
  expect(() => parseSweep('magic.edit.steps=1')).toThrow(/no method/);
  expect(() => parseOverride('edit.steps=1,2')).toThrow(/one value/);
  expect(parseSweep('dreambooth.steer.oneStep=dds,sds')).toMatchObject({
    scope: 'steer',
    method: 'dreambooth',
    values: ['dds', 'sds'],
  });
});

test.each([
  [['--out', 'x'], 'one of --quick'],
  [['--quick', '--full', '--out', 'x'], 'exclude each other'],
  [['--quick'], '--out is missing'],
  [['--quick', '--out', 'x', '--table', '9'], 'no table "9"'],
  [['--quick', '--out', 'x', '--methods', 'magic'], 'no method "magic"'],
  [['--quick', '--out', 'x', '--lpips', 'resnet=y'], 'no LPIPS network "resnet"'],
  [['--quick', '--out', 'x', '--pairs', '0'], '--pairs must be'],
  [['--concepts', '--out', 'x', '--sweep', 'edit.steps=1,2'], 'sweeps nothing'],
])('bad arguments %s', (argv, message) => {
  expect(() => readArguments(argv)).toThrow(message);
});
