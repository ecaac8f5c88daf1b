/** The invariants of METHOD.md 3.11 that concern fitting; those of the edit itself (2, 7) are in editing/. */
import { expect, test } from 'vitest';
import { grad } from '../autodiff/grad';
import { vjps } from '../autodiff/vjps';
import { createModel } from '../diffusion/model';
import { Graph } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { Concept } from '../personalization/concept';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { compile } from '../runtime/session';
import { WeightStore } from '../runtime/weights';
import type { TrainedNetwork } from '../training/denoising-loss';
import { sgd } from '../training/sgd';
import { compileStep } from '../training/step';
import { tinyModel } from '../training/tiny-model';
import { type NdArray, ndArray, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { edsdLoss } from './edsd';
import { applyFit } from './fit';
import { guidedSamples } from './guided-sampling';
import { modeShiftData } from './mode-shift';
import { type SteerOptions, steerDefaults } from './options';
import { patchNce } from './patch-nce';
import { type SteerEvent, type SteerRequest, steer } from './steer';
import { classPrompt, surroundings } from './surroundings';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const base = tinyModel(backend);
const model = createModel(base, {});
const gaussian = (seed: number, shape: readonly number[]): NdArray =>
  ndArray(createTorchRng(seed).randn(shape.reduce((a, b) => a * b)), shape);
const untouched: Concept = {
  method: 'dreambooth',
  token: 'sks',
  classWord: 'cat',
  subject: 'sks cat',
  rows: null,
  unet: new Map(),
  text: new Map(),
  lora: null,
};
const word: Concept = { ...untouched, token: '<miso>', subject: '<miso>', rows: gaussian(8, [1, 16]) };

async function run(
  concept: Concept,
  sourcePrompt: string,
  options: Partial<SteerOptions>,
  references?: readonly NdArray[],
) {
  const request: SteerRequest = {
    concept,
    picture: gaussian(9, [1, 3, 16, 16]),
    sourcePrompt,
    targetPrompt: `a ${concept.subject}`,
    options: { samples: 1, ddimSteps: 2, steps: 2, ...options },
    seed: 5,
    ...(references && { references }),
  };
  const events: SteerEvent[] = [];
  const job = steer(model, request);
  for (;;) {
    const next = await job.next();
    if (next.done) {
      return { fit: next.value, steps: events.flatMap((e) => (e.kind === 'step' ? [e] : [])) };
    }
    events.push(next.value);
  }
}

test('1: the frozen model with one prompt for both is at rest: Δ and the gradient of EDSD are 0', async () => {
  const { steps } = await run(untouched, 'a sks cat', { modeShift: 0, loraRank: 2, steps: 1 });
  expect(steps[0]!.metrics!.delta2).toBeLessThan(1e-10);
  expect(steps[0]!.gradNorm).toBeLessThan(1e-5);
  const { steps: apart } = await run(untouched, 'a cat', { modeShift: 0, loraRank: 2, steps: 1 });
  expect(apart[0]!.metrics!.delta2).toBeGreaterThan(1e-6);
  expect(apart[0]!.gradNorm).toBeGreaterThan(1e-3);
});

test('2: a fit of a word shares the frozen model’s network, so that DDS-S is DDS', async () => {
  const { fit } = await run(word, 'a cat', { learningRate: 1e-2 });
  const fitted = applyFit(base, word, fit);
  expect(fitted.unet.weights).toBe(base.unet.weights);
  expect(fitted.textEncoder.learned!.data).not.toEqual(word.rows!.data);
});

/** ε̂(x) = x·W on [1,1,1,4], the second call with weights of its own where `poison` is given. */
function linear(g: Graph, poison = false): TrainedNetwork {
  const predict = (name: string) => (x: NonNullable<TrainedNetwork['output']>) =>
    reshape(g, op.gemm(g, reshape(g, x, [1, 4]), g.weight(name, [4, 4])), [1, 1, 1, 4]);
  const sample = g.feed('sample', [1, 1, 1, 4]);
  const timeEmbedding = g.feed('time_embedding', [1, 1]);
  const states = g.feed('encoder_hidden_states', [1, 1, 1]);
  const apply: TrainedNetwork['apply'] = (inputs) => predict(poison ? 'poison' : 'w')(inputs.sample);
  return {
    inputs: { sample, timeEmbedding, encoderHiddenStates: states },
    output: predict('w')(sample),
    states,
    apply,
  };
}

const GAMMA = 0.1;
const REGION = [1, 0, 0.5, 0];
const LEARNED = [0.5, -1, 2, 1];

/** Steps of gradient descent on random x, W towards the frozen model 2·I; the loss by `build`. */
async function descend(
  build: (g: Graph) => { loss: ReturnType<typeof edsdLoss>['loss'] },
  { steps = 1, rate = 1, names = ['w'] }: { steps?: number; rate?: number; names?: string[] } = {},
) {
  const shapes = new Map(['w', 'poison'].map((name) => [name, [4, 4]]));
  const load = async (name: string): Promise<NdArray> => gaussian(name.length, [4, 4]);
  const store = new WeightStore(backend, { shapes, load });
  const g = new Graph();
  const { loss } = build(g);
  const trainer = await compileStep(g, loss, names, store, { optimiser: sgd() });
  for (let step = 0; step < steps; step++) {
    const x = gaussian(100 + step, [1, 1, 1, 4]);
    const reference = { data: x.data.map((v) => 2 * v), shape: x.shape };
    const base = { data: x.data.map((v, i) => v + GAMMA * reference.data[i]!), shape: x.shape };
    const scalar = (v: number): NdArray => ndArray([v], [1]);
    const all: Record<string, NdArray> = {
      sample: x,
      reference,
      edit_base: base,
      edit_rate: scalar(GAMMA),
      score_weight: scalar(1),
      region: ndArray(REGION, [1, 1, 1, 4]),
      learned: ndArray(LEARNED, [1, 1, 1, 4]),
    };
    const feeds = g.feeds.flatMap(({ name }) => (all[name] ? [[name, all[name]] as const] : []));
    await trainer.step(Object.fromEntries(feeds), rate);
  }
  const { weights } = await trainer.state();
  await trainer.dispose();
  return { w: weights.get('w')!.data, poison: weights.get('poison')?.data };
}

const form = (jacobian: SteerOptions['jacobian'], oneStep: SteerOptions['oneStep'] = 'dds') => ({
  ...steerDefaults(''),
  jacobian,
  oneStep,
  predictionType: 'epsilon' as const,
  table: vjps,
});
const edsd =
  (jacobian: SteerOptions['jacobian'], oneStep: SteerOptions['oneStep'] = 'dds', poison = false) =>
  (g: Graph) =>
    edsdLoss(g, linear(g, poison), form(jacobian, oneStep));
const distance = (w: Float32Array): number => Math.hypot(...w.map((v, i) => v - (i % 5 === 0 ? 2 : 0)));

test('3: +I is the opposite of −I, which converges where +I diverges', async () => {
  const start = gaussian(1, [4, 4]).data;
  const [minus, plus] = [await descend(edsd('minus')), await descend(edsd('plus'))];
  minus.w.forEach((v, i) => {
    expect(v - start[i]!).toBeCloseTo(start[i]! - plus.w[i]!, 5);
  });
  const long = { steps: 400, rate: 0.2 };
  const before = distance(start);
  expect(distance((await descend(edsd('minus'), long)).w)).toBeLessThan(0.02 * before);
  expect(distance((await descend(edsd('plus'), long)).w)).not.toBeLessThan(5 * before);
});

test('4: with no edit the gradient is that of ½·mean((A − sg(C))²)', async () => {
  const plain = await descend((g) => {
    const { output } = linear(g);
    const gap = op.sub(g, output, g.feed('reference', output.shape));
    return { loss: op.mul(g, op.reduceMean(g, op.mul(g, gap, gap), [0, 1, 2, 3], false), op.scalar(g, 0.5)) };
  });
  const still = await descend(edsd('minus', 'none'));
  still.w.forEach((v, i) => {
    expect(v).toBeCloseTo(plain.w[i]!, 6);
  });
});

test('in the surroundings alone, gradients are those of EDSD times the map, and none where it is 0', async () => {
  const start = gaussian(1, [4, 4]).data;
  const moved = async (region: SteerOptions['region']) => {
    const { w } = await descend((g) => edsdLoss(g, linear(g), { ...form('minus'), region }));
    return w.map((v, i) => v - start[i]!);
  };
  const [all, around] = [await moved('all'), await moved('surroundings')];
  // entry i of W feeds place i mod 4 of the output alone
  for (const [i, v] of around.entries()) expect(v).toBeCloseTo(REGION[i % 4]! * all[i]!, 6);
});

test('with an anchor, the subject is moved to what the concept as learned predicts, the surroundings are not', async () => {
  const start = gaussian(1, [4, 4]).data;
  const moved = async (anchor: number) => {
    const options = { ...form('minus'), region: 'surroundings', anchor } as const;
    const { w } = await descend((g) => edsdLoss(g, linear(g), options));
    return w.map((v, i) => v - start[i]!);
  };
  const [free, held] = [await moved(0), await moved(3)];
  const x = gaussian(100, [4]).data;
  // entry i of W is x_j → place k of A = x·W
  for (const [i, v] of held.entries()) {
    const [j, k] = [Math.floor(i / 4), i % 4];
    const a = x.reduce((sum, value, row) => sum + value * start[row * 4 + k]!, 0);
    const pull = (3 * (1 - REGION[k]!) * (a - LEARNED[k]!) * x[j]!) / 4;
    expect(v).toBeCloseTo(free[i]! - pull, 5);
  }
});

test('what is learned is asked of the concept as it was: an anchor changes nothing before the first step', async () => {
  const steps = async (anchor: number) => {
    const options = {
      modeShift: 0,
      loraRank: 2,
      region: 'surroundings',
      anchor,
      learningRate: 1e-2,
    } as const;
    return (await run(untouched, 'a cat', { ...options, steps: 2 })).steps;
  };
  const [free, held] = [await steps(0), await steps(10)];
  expect(held[0]!.gradNorm! / free[0]!.gradNorm!).toBeCloseTo(1, 3);
  expect(Math.abs(held[1]!.gradNorm! / free[1]!.gradNorm! - 1)).toBeGreaterThan(1e-3);
});

test('the surroundings are where the words that are replaced are not attended to', async () => {
  const source = gaussian(3, [1, 4, 8, 8]);
  const of = async (
    sourcePrompt: string,
    targetPrompt: string,
    { subjectFrom = 1, signal }: { subjectFrom?: number; signal?: AbortSignal } = {},
  ) => {
    const context = await model.embed(sourcePrompt);
    return surroundings(
      model,
      { source, sourcePrompt, targetPrompt, context, seed: 1, signal },
      { tMin: 50, tMax: 950, subjectFrom },
    );
  };
  const { data, shape } = (await of('a cat', 'a <miso>'))!;
  expect(shape).toEqual([1, 1, 8, 8]);
  expect(Math.min(...data)).toBeGreaterThanOrEqual(0);
  expect(Math.min(...data)).toBeLessThan(0.2);
  expect(Math.max(...data)).toBeGreaterThan(Math.min(...data));
  expect(Math.max(...data)).toBeLessThanOrEqual(1);
  expect(await of('a cat', 'a cat')).toBeNull();
  const { data: tight } = (await of('a cat', 'a <miso>', { subjectFrom: 0.5 }))!;
  for (const [i, v] of tight.entries()) expect(v).toBeCloseTo(Math.max(0, 2 * data[i]! - 1), 5);
  await expect(of('a cat', 'a <miso>', { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
});

test('where the class changes, the plain model is told that the photo shows the concept’s', () => {
  const told = (sourcePrompt: string, targetPrompt: string, classWord: string) =>
    classPrompt({ sourcePrompt, targetPrompt }, classWord);
  expect(told('a photo of a dog by a lake', 'a photo of a <miso> cat by a lake', 'cat')).toBe(
    'a photo of a cat by a lake',
  );
  expect(told('an owl', 'a <bo> elephant', 'elephant')).toBe('an elephant');
  expect(told('an owl', 'an <bo>', 'cat')).toBe('a cat');
  expect(told('a dog and a rabbit', 'a <miso> and a <miso>', 'cat')).toBe('a cat and a cat');
  // the rare word of a method that learns none stands alone, not in "river"
  expect(told('a dog over a river', 'a v over a river', 'cat')).toBe('a cat over a river');
  // a photo of that class is compared as it is, and so is one whose prompts replace nothing
  expect(told('a photo of a cat', 'a photo of a <miso> cat', 'cat')).toBeNull();
  expect(told('an old Cat', 'a <miso>', 'cat')).toBeNull();
  expect(told('a bobcat', 'a <miso>', 'cat')).toBe('a cat');
  expect(told('a cat and a dog', 'a <miso> and a <miso>', 'cat')).toBeNull();
  expect(told('a dog', 'a dog', 'cat')).toBeNull();
  expect(told('a dog', 'a <miso>', '')).toBeNull();
});

test('a fit to a photo of another class is compared with the concept’s class there, in the surroundings alone', async () => {
  const gap = async (region: 'all' | 'surroundings', classWord: string) => {
    const of = { ...untouched, classWord };
    const options = { loraRank: 2, region, steps: 1, modeShift: 0 } as const;
    const { steps } = await run(of, 'a cat', options);
    return steps[0]!.metrics!.gap!;
  };
  expect(await gap('surroundings', 'dog')).not.toBe(await gap('surroundings', 'cat'));
  expect(await gap('all', 'dog')).toBe(await gap('all', 'cat'));
});

test('5: no gradient reaches the second call, the frozen model or the autoencoder', async () => {
  for (const jacobian of ['minus', 'true'] as const) {
    // weights that only the second call reads: their gradient is exactly 0
    const { w, poison } = await descend(edsd(jacobian, 'dds', true), { names: ['w', 'poison'] });
    expect(poison).toEqual(gaussian(6, [4, 4]).data);
    expect(w).not.toEqual(gaussian(1, [4, 4]).data);
  }
  const watched = [
    [base.unet.weights, 'conv_in.weight'],
    [base.unet.weights, 'up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight'],
    [base.textEncoder.weights, 'text_model.embeddings.token_embedding.weight'],
    [base.vae.weights, 'encoder.conv_in.weight'],
  ] as const;
  const read = () => Promise.all(watched.map(([store, name]) => store.read(name)));
  const before = structuredClone(await read());
  await run(untouched, 'a cat', { loraRank: 2, learningRate: 1e-2 });
  expect(await read()).toEqual(before);
});

test('6: PatchNCE prefers places to stay where they are, and gives no gradient to the source', async () => {
  const g = new Graph();
  const [source, target] = ['source', 'target'].map((name) => g.feed(name, [1, 16, 8]));
  const indices = g.feed('indices', [12, 1], 'int64');
  const loss = patchNce(g, source!, target!, { height: 4, width: 4, size: 1, indices });
  const [toSource, toTarget] = grad(g, loss, [source!, target!]);
  const store = new WeightStore(backend, { shapes: new Map(), load: () => Promise.reject() });
  const program = await compile(g, { loss, toSource: toSource!, toTarget: toTarget! }, store);
  const places = gaussian(3, [1, 16, 8]);
  const shuffled = ndArray(
    createTorchRng(4)
      .randperm(16)
      .flatMap((at) => [...places.data.subarray(at * 8, at * 8 + 8)]),
    [1, 16, 8],
  );
  const at = ndArray(createTorchRng(5).randperm(16).slice(0, 12), [12, 1]);
  const same = await program.run({ source: places, target: places, indices: at });
  const other = await program.run({ source: places, target: shuffled, indices: at });
  expect(same.loss!.data[0]!).toBeLessThan(0.1 * other.loss!.data[0]!);
  expect(other.toSource!.data.every((v) => v === 0)).toBe(true);
  expect(other.toTarget!.data.some((v) => v !== 0)).toBe(true);
  await program.dispose();
});

test('8: inversion, then denoising with the same model and prompt and no guidance, gives the photo back', async () => {
  const prompt = await model.embed('a cat');
  const source = gaussian(2, [1, 4, 8, 8]);
  const reconstruct = async (over: Partial<SteerOptions>): Promise<number> => {
    const options = {
      ...steerDefaults(''),
      ddimSteps: 200,
      samples: 1,
      eta: 0,
      samplingGuidance: 1,
      ...over,
    } as SteerOptions;
    const contexts = { source: prompt, target: prompt, empty: zeros(prompt.shape) };
    const sampling = guidedSamples(model, base, { source, contexts, seed: 0 }, options);
    for (;;) {
      const next = await sampling.next();
      if (!next.done) continue;
      const [sample] = next.value;
      return Math.hypot(...sample!.data.map((v, i) => v - source.data[i]!)) / Math.hypot(...source.data);
    }
  };
  // weights drawn at random make no smooth denoiser: it takes many steps
  const error = await reconstruct({ strength: 0 });
  expect(error).toBeLessThan(0.12);
  expect(await reconstruct({ strength: 0, ddimSteps: 10 })).toBeGreaterThan(error);
  expect(await reconstruct({ strength: 0, sampling: 'noise', ddimSteps: 10 })).toBeGreaterThan(0.5);
});

test('samples with the photo’s background are the photo where the subject is not, and free where it is', async () => {
  const prompt = await model.embed('a cat');
  const source = gaussian(2, [1, 4, 8, 8]);
  const contexts = { source: prompt, target: prompt, empty: zeros(prompt.shape) };
  const left = ndArray(
    Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 1 : 0)),
    [1, 1, 8, 8],
  );
  const apart = async (over: Partial<SteerOptions>) => {
    const options = { ...steerDefaults(''), ddimSteps: 3, samples: 1, strength: 0, ...over } as SteerOptions;
    const sampling = guidedSamples(model, base, { source, contexts, seed: 0, region: left }, options);
    for (;;) {
      const next = await sampling.next();
      if (!next.done) continue;
      const off = next.value[0]!.data.map((v, i) => Math.abs(v - source.data[i]!));
      return [1, 0].map((side) => Math.max(...off.filter((_, i) => left.data[i % 64] === side)));
    }
  };
  const [around, within] = await apart({ background: 'photo' });
  expect(around).toBe(0);
  expect(within).toBeGreaterThan(0.1);
  expect((await apart({}))[0]).toBeGreaterThan(0.1);
  expect((await apart({ background: 'photo', sampling: 'noise' }))[0]).toBeGreaterThan(0.1);
});

test('mode shifting to what was learned is at rest before the first step, and in the surroundings sees the subject alone', async () => {
  const losses = async (over: Partial<SteerOptions>) => {
    const options = { edsd: 0, loraRank: 2, strength: 0, learningRate: 1e-2, weightDecay: 0.5, ...over };
    const { steps } = await run(untouched, 'a cat', options);
    return steps.map(({ metrics }) => metrics!.modeShift!);
  };
  const [learned] = await losses({ shiftTo: 'learned' });
  expect(learned).toBeLessThan(1e-8);
  expect((await losses({}))[0]).toBeGreaterThan(0.1);
  const { sample, lossWeight } = modeShiftData(
    {
      guided: [gaussian(1, [1, 4, 1, 4])],
      targetPrompt: '',
      batch: 1,
      schedule: base.schedule,
      seed: 0,
      mask: Float32Array.of(0, 1, 0.5, 0),
    },
    0,
  );
  expect(sample.shape).toEqual([1, 4, 1, 4]);
  expect(lossWeight.data[0]).toBe(0);
  expect(lossWeight.data[1]).toBeCloseTo(1 / 6, 6);
  expect(lossWeight.data[2]).toBeCloseTo(1 / 12, 6);
});

test('the anchor of mode shifting leaves out what is not the subject', async () => {
  const second = async (region: SteerOptions['region']) => {
    const options = {
      shiftTo: 'learned',
      region,
      loraRank: 2,
      strength: 0,
      edsd: 1e-3,
      learningRate: 1e-2,
    } as const;
    return (await run(untouched, 'a cat', options)).steps[1]!.metrics!.modeShift!;
  };
  expect(Math.abs((await second('all')) / (await second('surroundings')) - 1)).toBeGreaterThan(1e-3);
});

test('the concept’s own pictures hold its look in place of samples; without any a fit is as without the option', async () => {
  const options = { loraRank: 2, learningRate: 1e-2, region: 'surroundings', anchor: 1 } as const;
  const pictures = [20, 21].map((seed) => gaussian(seed, [1, 3, 16, 16]));
  const plain = await run(word, 'a cat', options);
  for (const [over, references] of [
    [{ references: 1 }, undefined],
    [{ references: 1 }, []],
    [{}, pictures],
  ] as const) {
    expect((await run(word, 'a cat', { ...options, ...over }, references)).fit).toEqual(plain.fit);
  }
  const own = await run(word, 'a cat', { ...options, references: 1 }, pictures);
  expect(own.fit.guided).toEqual([]);
  expect(Object.keys(own.steps[0]!.metrics!)).toEqual(['delta2', 'gap', 'pictures']);
  const other = await run(word, 'a cat', { ...options, references: 1 }, pictures.slice(1));
  expect(other.fit.key).not.toBe(own.fit.key);
  expect(other.fit.delta.lora).not.toEqual(own.fit.delta.lora);
  const many = Array.from({ length: 21 }, () => pictures[0]!);
  await expect(run(word, 'a cat', { ...options, references: 1 }, many)).rejects.toThrow('up to 20 pictures');
});

test('a fit to the concept’s own pictures alone brings what it predicts at them nearer to the truth', async () => {
  const pictures = [gaussian(20, [1, 3, 16, 16])];
  const options = { edsd: 0, references: 1, referenceBatch: 4, loraRank: 4, learningRate: 2e-2, steps: 60 };
  const { steps } = await run(word, 'a cat', options, pictures);
  const mean = (from: number): number =>
    steps.slice(from, from + 15).reduce((sum, { metrics }) => sum + metrics!.pictures!, 0) / 15;
  expect(mean(45)).toBeLessThan(0.9 * mean(0));
});

test('while it cools down, a fit takes shorter steps in the same direction', async () => {
  const options = { modeShift: 0, learningRate: 1e-2, weightDecay: 0 };
  const moved = async (steps: number, coolDown: number) => {
    const { fit } = await run(word, 'a cat', { ...options, steps, coolDown });
    return fit.delta.rows!.data.map((v, i) => v - word.rows!.data[i]!);
  };
  const [first, both, cooled] = [await moved(1, 0), await moved(2, 0), await moved(2, 1)];
  expect(cooled).not.toEqual(both);
  // the second of two steps at half the rate
  cooled.forEach((v, i) => {
    expect(v).toBeCloseTo((first[i]! + both[i]!) / 2, 6);
  });
});

test('prompts without a subject make a fit that compares everywhere, with free samples', async () => {
  const options = { learningRate: 1e-2, anchor: 1, shiftTo: 'learned' } as const;
  const around = { region: 'surroundings', background: 'photo' } as const;
  const [everywhere, asked] = [
    await run(word, 'a <miso>', options),
    await run(word, 'a <miso>', { ...options, ...around }),
  ];
  expect(asked.steps.every(({ applied }) => applied)).toBe(true);
  expect(asked.fit.guided).toEqual(everywhere.fit.guided);
  expect(asked.fit.delta.rows).toEqual(everywhere.fit.delta.rows);
});
