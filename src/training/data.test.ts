import { expect, test } from 'vitest';
import { createSchedule, levelAt } from '../diffusion/schedule';
import { ndArray, zeros } from '../util/nd-array';
import { type Example, levelWeight, rowsPerStep, stepData } from './data';

const SHAPE = [1, 2, 2, 2];
const example = (value: number, mask?: Float32Array): Example => ({
  latent: { mean: ndArray(new Float32Array(8).fill(value), SHAPE), std: zeros(SHAPE) },
  prompts: [`picture ${value}`, `photo ${value}`],
  ...(mask && { mask }),
});
const options = {
  instances: [0, 1, 2, 3].map((v) => example(v)),
  batch: 1,
  schedule: createSchedule(),
  seed: 7,
};
const steps = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => stepData(options, from + i));
const shown = (prompts: readonly string[]): string => prompts[0]!.split(' ')[1]!;

test('a step depends on the seed and its number alone', () => {
  expect(steps(5)).toEqual(steps(5));
  expect(steps(3, 2)).toEqual(steps(5).slice(2));
  expect(stepData({ ...options, seed: 8 }, 0)).not.toEqual(stepData(options, 0));
});

test('every picture is seen once before any is seen again, in an order that changes', () => {
  const order = steps(40).map(({ prompts }) => shown(prompts));
  const rounds = Array.from({ length: 10 }, (_, i) => order.slice(4 * i, 4 * i + 4));
  for (const round of rounds) expect(round.toSorted()).toEqual(['0', '1', '2', '3']);
  expect(new Set(rounds.map(String)).size).toBeGreaterThan(3);
});

test('timesteps and prompts vary and cover their range', () => {
  const all = steps(400);
  const timesteps = all.map(({ timesteps: [t] }) => t!);
  expect(Math.min(...timesteps)).toBeLessThan(20);
  expect(Math.max(...timesteps)).toBeGreaterThan(980);
  expect(timesteps.reduce((a, b) => a + b) / 400).toBeGreaterThan(450);
  expect(timesteps.reduce((a, b) => a + b) / 400).toBeLessThan(550);
  expect(new Set(all.map(({ prompts }) => prompts[0]!.split(' ')[0])).size).toBe(2);
});

test('the sample is the latent at its noise level and the target that noise', () => {
  for (const { prompts, timesteps, sample, target } of steps(8)) {
    const { alpha, sigma } = levelAt(options.schedule, timesteps[0]!);
    const expected = target.data.map((noise) => alpha * Number(shown(prompts)) + sigma * noise);
    expect(sample.data.every((v, i) => Math.abs(v - expected[i]!) < 1e-6)).toBe(true);
  }
});

test('latents are drawn anew from the posterior', () => {
  const wide = { mean: zeros(SHAPE), std: ndArray(new Float32Array(8).fill(2), SHAPE) };
  const schedule = { ...options.schedule, predictionType: 'sample' as const };
  const drawn = Array.from({ length: 200 }, (_, step) => [
    ...stepData({ ...options, schedule, instances: [{ latent: wide, prompts: [''] }] }, step).target.data,
  ]).flat();
  const variance = drawn.reduce((sum, v) => sum + v * v, 0) / drawn.length;
  expect(Math.abs(Math.sqrt(variance) - 2)).toBeLessThan(0.1);
});

test('loss weights make a mean over instances plus a weighted mean over priors, each over its valid region', () => {
  const half = Float32Array.of(1, 0, 0, 1);
  const data = {
    ...options,
    batch: 2,
    instances: [example(0, half)],
    priors: [example(5)],
    priorWeight: 0.5,
  };
  expect(rowsPerStep(data)).toBe(4);
  const { lossWeight, prompts } = stepData(data, 0);
  expect(lossWeight.shape).toEqual([4, 1, 2, 2]);
  // two channels: one row's weights count twice
  expect([...lossWeight.data.subarray(0, 4)]).toEqual([1, 0, 0, 1].map((v) => v / (2 * 2 * 2)));
  expect([...lossWeight.data.subarray(12)]).toEqual(Array(4).fill(0.5 / (2 * 2 * 4)));
  expect(prompts.map((p) => p.split(' ')[1])).toEqual(['0', '0', '5', '5']);
});

test('levels are weighted as tools/starter/train_unet.py weighs them, whatever the network predicts', () => {
  // weight_of(snr, 5) there
  for (const [t, weight] of [
    [10, 0.0483057],
    [500, 1.61828],
    [990, 13.8426],
  ] as const) {
    const { alpha, sigma } = levelAt(options.schedule, t);
    const of = (predictionType: 'epsilon' | 'v_prediction' | 'sample') =>
      levelWeight({ ...options.schedule, predictionType }, t);
    expect(of('epsilon') / weight).toBeCloseTo(1, 4);
    // a guess of the picture that is off by d is off by −αd/σ in the noise, and by −d/σ in v
    const off = { epsilon: -alpha / sigma, v_prediction: -1 / sigma, sample: 1 };
    const loss = (type: keyof typeof off) => of(type) * off[type] ** 2;
    expect(loss('v_prediction') / loss('epsilon')).toBeCloseTo(1, 6);
    expect(loss('sample') / loss('epsilon')).toBeCloseTo(1, 6);
  }
});

test('evened out, a step’s loss weights are those times the weight of its level', () => {
  const [plain, even] = [false, true].map((evenLevels) => stepData({ ...options, evenLevels }, 3));
  const weight = levelWeight(options.schedule, plain!.timesteps[0]!);
  expect(even!.sample).toEqual(plain!.sample);
  for (const [i, v] of even!.lossWeight.data.entries()) {
    expect(v / (weight * plain!.lossWeight.data[i]!)).toBeCloseTo(1, 5);
  }
});

test('evened out, the pictures of a step are spread over the levels, instances and priors alike', () => {
  const priors = options.instances;
  for (let step = 0; step < 20; step++) {
    const { timesteps } = stepData({ ...options, priors, batch: 4, evenLevels: true }, step);
    expect(timesteps.map((t) => Math.floor(t / 250))).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  }
});
