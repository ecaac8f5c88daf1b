import { expect, test } from 'vitest';
import type { PredictNoise } from '../diffusion/guidance';
import { createSchedule } from '../diffusion/schedule';
import { type NdArray, ndArray, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { type EditMethod, type EditOptions, editMethods } from './methods';
import { type EditInputs, type EditStep, scoreEdit } from './score-edit';

const shape = [1, 2, 4, 4];
const source = ndArray(createTorchRng(1).randn(32), shape);
const context = (value: number): NdArray => ndArray([value, value], [1, 1, 2]);
/** A small smooth stand-in for a denoiser: depends on everything it is given. */
const network =
  (bias = 0): PredictNoise =>
  async (x, t, c) => ({
    data: x.data.map((v, i) => Math.tanh(v * (1 + t / 1000)) + c.data[0]! * Math.cos(i) + bias * Math.sin(i)),
    shape: x.shape,
  });
const options: EditOptions = { ...editMethods.dds!.defaults, steps: 5 };
const inputs = (over: Partial<EditInputs> = {}): EditInputs => ({
  source,
  personalised: network(),
  frozen: network(),
  subjectMap: null,
  contexts: { source: context(0.2), target: context(-0.5), empty: context(0) },
  paintedMask: null,
  schedule: createSchedule(),
  rng: createTorchRng(7),
  ...over,
});

async function edit(given: EditInputs, method: EditMethod, given_options = options): Promise<EditStep[]> {
  const steps: EditStep[] = [];
  for await (const step of scoreEdit(given, method, given_options)) steps.push(step);
  return steps;
}

test('one model and one prompt: the DDS-S direction is zero and the picture stays bit for bit', async () => {
  const same = { source: context(0.2), target: context(0.2), empty: context(0) };
  const steps = await edit(inputs({ contexts: same }), editMethods['dds-s']!);
  for (const { latent, directionRms } of steps) {
    expect(directionRms).toBe(0);
    expect(latent.data).toEqual(source.data);
  }
});

test('DDS-S equals DDS when the personalised model shares its network with the frozen one', async () => {
  const a = await edit(inputs(), editMethods.dds!);
  const b = await edit(inputs(), editMethods['dds-s']!);
  expect(a.at(-1)!.latent.data).toEqual(b.at(-1)!.latent.data);
});

test('DDS-S differs from DDS when the personalised model was changed', async () => {
  const changed = { personalised: network(0.3) };
  const a = await edit(inputs(changed), editMethods.dds!);
  const b = await edit(inputs(changed), editMethods['dds-s']!);
  expect(a.at(-1)!.latent.data).not.toEqual(b.at(-1)!.latent.data);
});

test('a mask of ones reproduces DDS-S and a mask of zeros returns the source bit for bit', async () => {
  const ones = { ...zeros([1, 1, 4, 4]), data: new Float32Array(16).fill(1) };
  const full = await edit(inputs({ paintedMask: ones }), editMethods['dds-sm']!);
  const plain = await edit(inputs(), editMethods['dds-s']!);
  expect(full.at(-1)!.latent.data).toEqual(plain.at(-1)!.latent.data);
  const none = await edit(inputs({ paintedMask: zeros([1, 1, 4, 4]) }), editMethods['dds-sm']!);
  expect(none.at(-1)!.latent.data).toEqual(source.data);
});

test('DDS-SM edits where the subject is attended and leaves the rest', async () => {
  const map = ndArray([1, 0, 0, 0], [2, 2]);
  const steps = await edit(inputs({ subjectMap: () => map }), editMethods['dds-sm']!);
  const { latent, mask } = steps.at(-1)!;
  expect(mask!.data[0]).toBe(1);
  expect(mask!.data[15]).toBe(0);
  expect(latent.data[0]).not.toBe(source.data[0]);
  expect(latent.data[15]).toBe(source.data[15]);
});

test('one step is the formula: latent − stepSize · (guided target − guided source)', async () => {
  const { guidanceScale: w, stepSize } = options;
  const [step] = await edit(inputs(), editMethods.dds!, { ...options, steps: 1 });
  // the stand-in is x-dependent in the same way in both branches at the first step, so only the prompts remain
  const expected = source.data.map((v, i) => v - stepSize * w * (-0.5 - 0.2) * Math.cos(i));
  step!.latent.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 5);
  });
});

test('halting drops the step in progress', async () => {
  let calls = 0;
  const counting: PredictNoise = async (...args) => {
    calls++;
    return network()(...args);
  };
  const steps: EditStep[] = [];
  const run = scoreEdit(
    inputs({ frozen: counting, personalised: counting }),
    editMethods.dds!,
    options,
    () => calls >= 6,
  );
  for await (const step of run) steps.push(step);
  // four calls a step: the second step is cut after two
  expect(steps).toHaveLength(1);
  expect(calls).toBe(6);
});

test('numbers that are not finite are an error, never a picture', async () => {
  const broken: PredictNoise = async (x) => ({ data: x.data.map(() => Number.NaN), shape: x.shape });
  await expect(edit(inputs({ personalised: broken }), editMethods.dds!)).rejects.toMatchObject({
    code: 'NUMERIC',
  });
});
