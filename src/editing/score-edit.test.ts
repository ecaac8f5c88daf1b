import { expect, test } from 'vitest';
import type { PredictNoise } from '../diffusion/guidance';
import { addNoise, createSchedule } from '../diffusion/schedule';
import { drawScore } from '../diffusion/score';
import { type NdArray, ndArray, zeros } from '../util/nd-array';
import { createStepRng, createTorchRng } from '../util/random';
import type { EditStep } from './edit-step';
import { type BranchGuidance, type ScoreMethod, type ScoreOptions, scoreMethods } from './methods';
import { type EditInputs, scoreEdit } from './score-edit';
import { stepSchedules } from './step-size';

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
const options: ScoreOptions = { ...scoreMethods.dds.defaults, steps: 5 };
const inputs = (over: Partial<EditInputs> = {}): EditInputs => ({
  source,
  personalised: network(),
  frozen: network(),
  subjectMaps: null,
  contexts: { source: context(0.2), target: context(-0.5), empty: context(0) },
  paintedMask: null,
  schedule: createSchedule(),
  seed: 7,
  ...over,
});

async function edit(given: EditInputs, method: ScoreMethod, given_options = options): Promise<EditStep[]> {
  const steps: EditStep[] = [];
  for await (const step of scoreEdit(given, method, given_options)) steps.push(step);
  return steps;
}

test('one model and one prompt: the DDS-S direction is zero and the picture stays bit for bit', async () => {
  const same = { source: context(0.2), target: context(0.2), empty: context(0) };
  const steps = await edit(inputs({ contexts: same }), scoreMethods['dds-s']);
  for (const { latent, directionRms } of steps) {
    expect(directionRms).toBe(0);
    expect(latent.data).toEqual(source.data);
  }
});

test('DDS-S equals DDS when the personalised model shares its network with the frozen one', async () => {
  const a = await edit(inputs(), scoreMethods.dds);
  const b = await edit(inputs(), scoreMethods['dds-s']);
  expect(a.at(-1)!.latent.data).toEqual(b.at(-1)!.latent.data);
});

test('DDS-S differs from DDS when the personalised model was changed', async () => {
  const changed = { personalised: network(0.3) };
  const a = await edit(inputs(changed), scoreMethods.dds);
  const b = await edit(inputs(changed), scoreMethods['dds-s']);
  expect(a.at(-1)!.latent.data).not.toEqual(b.at(-1)!.latent.data);
});

test('a mask of ones reproduces DDS-S and a mask of zeros returns the source bit for bit', async () => {
  const ones = { ...zeros([1, 1, 4, 4]), data: new Float32Array(16).fill(1) };
  const full = await edit(inputs({ paintedMask: ones }), scoreMethods['dds-sm']);
  const plain = await edit(inputs(), scoreMethods['dds-s']);
  expect(full.at(-1)!.latent.data).toEqual(plain.at(-1)!.latent.data);
  const none = await edit(inputs({ paintedMask: zeros([1, 1, 4, 4]) }), scoreMethods['dds-sm']);
  expect(none.at(-1)!.latent.data).toEqual(source.data);
});

test('DDS-SM edits where the subject is attended and leaves the rest', async () => {
  const map = ndArray([1, 0, 0, 0], [1, 2, 2]);
  const steps = await edit(inputs({ subjectMaps: () => map }), scoreMethods['dds-sm']);
  const { latent, mask } = steps.at(-1)!;
  expect(mask!.data[0]).toBe(1);
  expect(mask!.data[15]).toBe(0);
  expect(latent.data[0]).not.toBe(source.data[0]);
  expect(latent.data[15]).toBe(source.data[15]);
});

test('a subject of two phrases is edited where either is attended, each to its own maximum', async () => {
  const maps = ndArray([1, 0, 0, 0, 0, 0, 0, 0.2], [2, 2, 2]);
  const { mask } = (await edit(inputs({ subjectMaps: () => maps }), scoreMethods['dds-sm'])).at(-1)!;
  expect([mask!.data[0], mask!.data[15]]).toEqual([1, 1]);
  expect([mask!.data[3], mask!.data[12]]).toEqual([0, 0]);
  const one = await edit(
    inputs({ subjectMaps: () => ndArray(maps.data.slice(0, 4), [1, 2, 2]) }),
    scoreMethods['dds-sm'],
  );
  const twice = await edit(
    inputs({ subjectMaps: () => ndArray([1, 0, 0, 0, 1, 0, 0, 0], [2, 2, 2]) }),
    scoreMethods['dds-sm'],
  );
  expect(twice.at(-1)!.latent.data).toEqual(one.at(-1)!.latent.data);
});

test('asked to, it edits as well where the new words come to be, more tightly, once there is a step to look at', async () => {
  const maps = {
    subjectMaps: () => ndArray([1, 0, 0, 0], [1, 2, 2]),
    replacementMaps: () => ndArray([0, 0.5, 0, 1], [1, 2, 2]),
  };
  const sm = scoreMethods['dds-sm'];
  const { mask: alone } = (await edit(inputs(maps), sm)).at(-1)!;
  expect([alone!.data[0], alone!.data[3], alone!.data[15]]).toEqual([1, 0, 0]);
  const both = { ...options, maskPower: 1.5, maskFrom: 'both' } as const;
  for (const { mask } of await edit(inputs(maps), sm, both)) {
    expect([mask!.data[0], mask!.data[12], mask!.data[15]]).toEqual([1, 0, 1]);
    expect(mask!.data[3]).toBeCloseTo(0.5 ** 3);
  }
  const unknown = await edit(inputs({ subjectMaps: maps.subjectMaps }), sm, both);
  expect(unknown.at(-1)!.mask!.data[15]).toBe(0);
});

test.each(['source', 'both'] as const)(
  'an edit with the outline of %s that starts from a step of another repeats the rest of it bit for bit, mask and all',
  async (maskFrom) => {
    let calls = 0;
    const frozen: PredictNoise = async (...args) => {
      calls++;
      return network()(...args);
    };
    // maps that depend on when they are asked for
    const moving = () => ({
      frozen,
      subjectMaps: () => ndArray([1, (calls % 5) / 5, (calls % 3) / 3, 0], [1, 2, 2]),
      replacementMaps: () => ndArray([(calls % 7) / 7, 0, 0.1, 1], [1, 2, 2]),
    });
    const asked = { ...options, maskFrom };
    const sm = scoreMethods['dds-sm'];
    const whole = await edit(inputs(moving()), sm, asked);
    const { index, latent, maps } = whole[1]!;
    calls = options.maskSteps + 2 * 2;
    const rest = await edit(inputs({ ...moving(), start: { index, latent, maps } }), sm, asked);
    expect(rest.map((step) => step.index)).toEqual([2, 3, 4]);
    for (const [i, step] of rest.entries()) {
      expect(step.latent.data).toEqual(whole[2 + i]!.latent.data);
      expect(step.mask!.data).toEqual(whole[2 + i]!.mask!.data);
    }
  },
);

test('guidance of both branches with one weight, or each with the same, is one thing; the target alone another', async () => {
  const run = async (over: { guidanceScale: number; guidance?: BranchGuidance; sourceGuidance?: number }) =>
    (await edit(inputs(), scoreMethods['dds-s'], { ...options, ...over })).at(-1)!.latent.data;
  const both = await run({ guidanceScale: 3 });
  expect(await run({ guidanceScale: 3, guidance: 'separate', sourceGuidance: 3 })).toEqual(both);
  const target = await run({ guidanceScale: 3, guidance: 'target' });
  expect(target).not.toEqual(both);
  expect(await run({ guidanceScale: 3, guidance: 'separate', sourceGuidance: 1 })).toEqual(target);
  expect(await run({ guidanceScale: 1, guidance: 'target' })).toEqual(await run({ guidanceScale: 1 }));
});

test('guided from the frozen model’s empty prompt, what training did to the network counts w times instead of once', async () => {
  const [bias, w] = [0.3, 3];
  const first = async (over: Partial<ScoreOptions>, given: Partial<EditInputs> = {}) => {
    const changed = inputs({ personalised: network(bias), ...given });
    const steps = await edit(changed, scoreMethods['dds-s'], { ...options, guidanceScale: w, ...over });
    return steps[0]!.direction.data;
  };
  const [own, frozen] = [await first({ emptyPrompt: 'own' }), await first({ emptyPrompt: 'frozen' })];
  for (const [i, v] of frozen.entries()) expect(v).toBeCloseTo(own[i]! + (w - 1) * bias * Math.sin(i), 5);
  expect(await first({})).toEqual(own);
  expect(await first({}, { emptyPrompt: 'frozen' })).toEqual(frozen);
  const unguided = { guidanceScale: 1 };
  expect(await first({ ...unguided, emptyPrompt: 'frozen' })).toEqual(await first(unguided));
});

test.each([
  ['constant', [1, 1, 1, 1]],
  ['linear', [1, 0.75, 0.5, 0.25]],
  ['cosine', [1, (1 + Math.SQRT1_2) / 2, 0.5, (1 - Math.SQRT1_2) / 2]],
  ['step', [1, 1, 1, 1]],
] as const)('the %s schedule scales each step of the latent', async (stepSchedule, factors) => {
  const steps = await edit(inputs(), scoreMethods.dds, { ...options, steps: 4, stepSchedule });
  let before = source;
  for (const [i, { latent, direction }] of steps.entries()) {
    for (const [k, v] of latent.data.entries()) {
      expect(v).toBeCloseTo(before.data[k]! - options.stepSize * factors[i]! * direction.data[k]!, 6);
    }
    before = latent;
  }
});

test('the step schedule falls by a tenth every twenty steps', () => {
  expect([0, 19, 20, 39, 40].map(stepSchedules.step)).toEqual([1, 1, 0.9, 0.9, 0.9 ** 2]);
});

test('one step is the formula: latent − stepSize · (guided target − guided source)', async () => {
  const { guidanceScale: w, stepSize } = options;
  const [step] = await edit(inputs(), scoreMethods.dds, { ...options, steps: 1 });
  // the stand-in is x-dependent in the same way in both branches at the first step, so only the prompts remain
  const expected = source.data.map((v, i) => v - stepSize * w * (-0.5 - 0.2) * Math.cos(i));
  step!.latent.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 5);
  });
});

test('a step of SDS subtracts the noise itself: guided prediction of the target − ε, whatever the source prompt says', async () => {
  const { guidanceScale: w, stepSize, tMin, tMax } = options;
  const { schedule, seed, contexts } = inputs();
  const { t, noise } = drawScore(createStepRng(seed, 0), schedule, shape, { tMin, tMax });
  const noised = addNoise(schedule, source, noise, t);
  const [empty, target] = await Promise.all(
    [contexts.empty, contexts.target].map(async (c) => (await network()(noised, t, c)).data),
  );
  const expected = noise.data.map((eps, i) => empty![i]! + w * (target![i]! - empty![i]!) - eps);
  for (const said of [0.2, 0.9]) {
    const over = { contexts: { ...contexts, source: context(said) }, frozen: network(0.3) };
    const [step] = await edit(inputs(over), scoreMethods.sds, { ...options, steps: 1 });
    expect(step!.timestep).toBe(t);
    for (const [i, v] of step!.direction.data.entries()) {
      expect(v).toBeCloseTo(expected[i]!, 5);
      expect(step!.latent.data[i]!).toBeCloseTo(source.data[i]! - stepSize * expected[i]!, 5);
    }
  }
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
    scoreMethods.dds,
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
  await expect(edit(inputs({ personalised: broken }), scoreMethods.dds)).rejects.toMatchObject({
    code: 'NUMERIC',
  });
});
