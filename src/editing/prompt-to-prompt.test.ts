import { afterAll, beforeAll, expect, test } from 'vitest';
import { invertDdim } from '../diffusion/invert';
import { createModel, type DiffusionModel } from '../diffusion/model';
import type { EncodedPrompt } from '../diffusion/tokenizer';
import { type Backend, openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { tinyModel } from '../training/tiny-model';
import { type NdArray, ndArray, rows } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { refineAlignment, replaceAlignment } from './alignment';
import { controlledUNet } from './attention-control';
import type { EditStep } from './edit-step';
import golden from './golden/p2p.json';
import { type AttentionOptions, attentionMethods } from './methods';
import { nullTextInversion } from './null-text';
import { controlAt, type EditProgress, promptToPrompt, sample } from './prompt-to-prompt';

let backend: Backend;
let model: DiffusionModel;
beforeAll(async () => {
  backend = await openBackend('node', { load: loadOrtNode });
  model = createModel(tinyModel(backend), {});
});
afterAll(async () => {
  await model.dispose();
  backend.dispose();
});

const L = 12;
const randn = (seed: number, shape: number[]): NdArray =>
  ndArray(createTorchRng(seed).randn(shape.reduce((a, b) => a * b)), shape);
const source = randn(1, [1, 4, 8, 8]);
const prompts = randn(3, [2, L, 16]);
const contexts = {
  source: rows(prompts, 0, 1),
  target: rows(prompts, 1, 2),
  empty: randn(2, [1, L, 16]),
};
const options: AttentionOptions = {
  ...attentionMethods.p2p.defaults,
  ...golden.options,
  localBlend: true,
};
const inputs = (over = {}) => ({
  source,
  unet: model.parts.unet,
  predictNoise: model.predictNoise,
  tokenizer: model.tokenizer,
  prompts: { source: 'a cat', target: 'a dog' },
  contexts,
  subject: [],
  paintedMask: null,
  schedule: model.schedule,
  limits: {},
  ...over,
});
/** Relative to the largest value. */
function expectClose(actual: Float32Array, expected: readonly number[], tolerance: number): void {
  const largest = Math.max(...expected.map(Math.abs));
  const error = Math.max(...expected.map((v, i) => Math.abs(v - actual[i]!)));
  expect(actual).toHaveLength(expected.length);
  expect(error / largest).toBeLessThan(tolerance);
}

/** A prompt of words with given numbers of tokens; equal words get equal ids. */
function encoded(words: readonly (readonly [string, number])[]): EncodedPrompt {
  let at = 1;
  const spans = words.map(([word, count]) => {
    at += count;
    return { word, begin: at - count, end: at };
  });
  const ids = spans.flatMap(({ word, begin, end }) =>
    Array.from({ length: end - begin }, (_, k) => 10 * word.charCodeAt(0) + k),
  );
  return ofIds([515, ...ids, 516], spans);
}
const ofIds = (ids: readonly number[], spans: EncodedPrompt['spans'] = []): EncodedPrompt => ({
  ids: [...ids, ...Array<number>(L - ids.length).fill(516)],
  words: [],
  spans,
  length: ids.length,
  truncated: false,
});
const { replaceLonger, replaceShorter, replaceAlike, refine } = golden.alignment;
type Words = [string, number][];

test.each([
  ['a longer word', replaceLonger],
  ['a shorter word', replaceShorter],
  ['words of as many tokens', replaceAlike],
])('%s takes the maps that the reference gives it', (_, { source, target, mapper }) => {
  const alignment = replaceAlignment(encoded(source as Words), encoded(target as Words));
  expectClose(alignment.mapper.data, mapper, 1e-6);
});

test('added words are new, the others keep their maps, as the reference aligns them', () => {
  const { mapper, aligned, changed } = refineAlignment(ofIds(refine.source), ofIds(refine.target));
  expectClose(mapper.data, refine.mapper, 1e-6);
  expect([...aligned]).toEqual(refine.aligned);
  expect(changed).toEqual({ source: [2], target: [2, 3] });
});

test('prompts of different word counts cannot be replaced word by word', () => {
  expect(() =>
    replaceAlignment(
      encoded([['a', 1]]),
      encoded([
        ['a', 1],
        ['b', 1],
      ]),
    ),
  ).toThrow(/equally many words/);
});

test('a learned word of several vectors is one word: it takes the place of one', () => {
  const tokenizer = model.tokenizer.withPlaceholders([{ token: '<miso>', vectors: 3 }]);
  const { mapper, changed } = replaceAlignment(tokenizer.encode('a cat'), tokenizer.encode('a <miso>'));
  expect(changed).toEqual({ source: [2], target: [2, 3, 4] });
  for (const j of [2, 3, 4]) expect(mapper.data[2 * L + j]).toBeCloseTo(1 / 3, 6);
});

const alignment = () => refineAlignment(ofIds(refine.source), ofIds(refine.target));
const noise = ndArray(golden.noise, [1, 4, 8, 8]);

test('a network under attention control gives the output and the maps of PyTorch', async () => {
  const { latentShape, parts } = model;
  const unet = await controlledUNet(parts.unet, { latentShape, tokens: L, limits: {} });
  const words = new Float32Array(2 * L);
  for (const at of [2, L + 2, L + 3]) words[at] = 1;
  const both = ndArray([...noise.data, ...noise.data], [2, 4, 8, 8]);
  const t = 801;
  const { output, attention } = await unet.predict(
    both,
    t,
    prompts,
    controlAt(0, alignment(), options, L),
    ndArray(words, [2, L]),
  );
  expectClose(output.data, golden.first.output, 1e-4);
  expectClose(attention.data, golden.first.attention, 1e-4);
  await unet.dispose();
});

async function end(run: AsyncGenerator<EditStep | EditProgress, void>): Promise<EditStep> {
  let last: EditStep | null = null;
  for await (const step of run) if ('latent' in step) last = step;
  return last!;
}

test('null-text inversion takes the steps of PyTorch, and the edit ends where PyTorch’s does', async () => {
  const trajectory = [source];
  const { predictNoise, schedule } = model;
  const walk = invertDdim((x, t) => predictNoise(x, t, contexts.source), source, schedule, { steps: 5 });
  for await (const { x } of walk) trajectory.push(x);
  expectClose(trajectory.at(-1)!.data, golden.noise, 1e-4);
  const { nullSteps, nullRate, nullTolerance, guidanceScale } = golden.options;
  const inversion = nullTextInversion(
    { ...inputs(), trajectory, source: contexts.source, empty: contexts.empty },
    {
      guidanceScale,
      innerSteps: nullSteps,
      learningRate: nullRate,
      tolerance: nullTolerance,
      warmStart: true,
    },
  );
  const embeddings: NdArray[] = [];
  for await (const { embedding, losses, index } of inversion) {
    embeddings.push(embedding);
    expectClose(Float32Array.from(losses), golden.nullText.losses[index]!, 1e-3);
  }
  expectClose(embeddings[0]!.data, golden.nullText.first, 1e-4);
  expectClose(embeddings.at(-1)!.data, golden.nullText.last, 1e-3);

  const run = sample(
    inputs(),
    options,
    alignment(),
    trajectory.at(-1)!,
    { by: 'null-text', predict: predictNoise, emptyAt: (i) => embeddings[i]! },
    () => false,
  );
  const { latent, mask } = await end(run);
  expectClose(latent.data, golden.end.slice(256), 1e-3);
  expect(mask!.data.some((v) => v === 0)).toBe(true);

  const { empty } = contexts;
  const retrace = { by: 'direct', predict: predictNoise, empty, trajectory } as const;
  const direct = await end(sample(inputs(), options, alignment(), trajectory.at(-1)!, retrace, () => false));
  expectClose(direct.latent.data, golden.direct, 1e-3);
});

test('direct inversion gives back the photo itself outside the mask', async () => {
  const paintedMask = ndArray(new Float32Array(64).fill(1, 0, 32), [1, 1, 8, 8]);
  const { latent } = await end(promptToPrompt(inputs({ paintedMask }), { ...options, retrace: 'direct' }));
  const kept = [...latent.data].filter((_, i) => paintedMask.data[i % 64] === 0);
  expect(kept).toEqual([...source.data].filter((_, i) => paintedMask.data[i % 64] === 0));
  expect(latent.data).not.toEqual(source.data);
});

test.each([
  ['own', 'frozen', 0],
  ['frozen', 'own', 5],
  ['auto', 'own', 0],
  ['auto', 'frozen', 5],
] as const)(
  'after direct inversion the target alone is guided, with emptyPrompt %s where the concept suits %s',
  async (emptyPrompt, learned, calls) => {
    const frozenEmpty = randn(9, [1, L, 16]);
    const asked: NdArray[] = [];
    const frozen = (x: NdArray, t: number, context: NdArray): Promise<NdArray> => {
      expect(x.shape[0]).toBe(1);
      asked.push(context);
      return model.predictNoise(x, t, context);
    };
    const run = promptToPrompt(
      inputs({ frozen, emptyPrompt: learned, contexts: { ...contexts, frozenEmpty } }),
      { ...options, retrace: 'direct', emptyPrompt },
    );
    await end(run);
    expect(asked).toEqual(Array(calls).fill(frozenEmpty));
  },
);

test('one prompt for both: the edit is the reconstruction, whatever is replaced', async () => {
  const same = {
    prompts: { source: 'a cat', target: 'a cat' },
    contexts: { ...contexts, target: contexts.source },
  };
  for (const windows of [
    { crossReplace: 0, selfReplace: 0 },
    { crossReplace: 1, selfReplace: 1 },
  ]) {
    const step = await end(promptToPrompt(inputs(same), { ...options, ...windows, nullSteps: 0 }));
    expect(step.directionRms).toBeLessThan(1e-6);
  }
});

test('with everything replaced by attention and one empty mask the source comes back', async () => {
  const painted = ndArray(new Float32Array(64), [1, 1, 8, 8]);
  const kept = await end(promptToPrompt(inputs({ paintedMask: painted }), { ...options, nullSteps: 0 }));
  const reference = await end(
    promptToPrompt(
      inputs({
        prompts: { source: 'a cat', target: 'a cat' },
        contexts: { ...contexts, target: contexts.source },
      }),
      { ...options, nullSteps: 0, localBlend: false },
    ),
  );
  expectClose(kept.latent.data, [...reference.latent.data], 1e-4);
});

test('progress is told before the first step: inversion, and with guidance null-text inversion', async () => {
  const stagesOf = async (over: { nullSteps: number; guidanceScale: number }): Promise<string[]> => {
    const stages: string[] = [];
    for await (const step of promptToPrompt(inputs(), { ...options, steps: 2, ...over })) {
      stages.push('stage' in step ? step.stage : 'step');
    }
    return stages;
  };
  const walk = ['invert', 'invert'];
  const steps = ['step', 'step'];
  expect(await stagesOf({ nullSteps: 1, guidanceScale: 3 })).toEqual([
    ...walk,
    'null-text',
    'null-text',
    ...steps,
  ]);
  expect(await stagesOf({ nullSteps: 0, guidanceScale: 3 })).toEqual([...walk, ...steps]);
  expect(await stagesOf({ nullSteps: 1, guidanceScale: 1 })).toEqual([...walk, ...steps]);
});
