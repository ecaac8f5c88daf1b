import { expect, test } from 'vitest';
import { createSchedule, type PredictionType, stableDiffusionSchedule } from '../diffusion/schedule';
import { timestepEmbedding } from '../models/embeddings';
import { Graph } from '../onnx/graph';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { TOKEN_ROWS } from '../training/denoising-loss';
import { sgd } from '../training/sgd';
import { compileStep, gradientRules } from '../training/step';
import { tinyModel } from '../training/tiny-model';
import { copiesOf, trainingParams, trainingStore } from '../training/trainable';
import { type NdArray, ndArray, rows, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { edsdFeeds } from './edsd';
import golden from './golden/steering.json' with { type: 'json' };
import { featureNetwork, guideNetwork } from './guide-network';
import { objective } from './objective';
import { type SteerOptions, steerDefaults } from './options';

const backend = await openBackend('node', { load: loadOrtNode, threads: 1 });
const base = tinyModel(backend);
const { config } = base.unet;
const [LENGTH, VOCAB, BOS, WIDTH] = [12, 517, 515, 16];
const embed = (...timesteps: number[]): NdArray =>
  timestepEmbedding(timesteps, config.down[0]!.channels, config);

/** As tools/oracle/make_steering.py. */
const variants: Readonly<
  Record<keyof typeof golden.objective, Partial<SteerOptions> & { type?: PredictionType }>
> = {
  dds: {},
  'sds-plus': { oneStep: 'sds', jacobian: 'plus' },
  ddim: { oneStep: 'ddim' },
  none: { oneStep: 'none' },
  true: { jacobian: 'true' },
  guided: { edsdGuidance: 3 },
  v: { type: 'v_prediction' },
};

async function inputs() {
  const rng = createTorchRng(300);
  const draw = (n: number): NdArray => ndArray(rng.randn(n * 256), [n, 4, 8, 8]);
  const [sample, target] = [draw(2), draw(1)];
  const lossWeight = ndArray(
    rng.rand(64).map((v) => v / 256),
    [1, 1, 8, 8],
  );
  const [reference, noise] = [draw(1), draw(1)];
  const timesteps = rng.randint(0, 1000, 2);
  const { data: table } = await base.textEncoder.weights.read('text_model.embeddings.token_embedding.weight');
  const embeddings = zeros([3, LENGTH, WIDTH]);
  const placement = zeros([3, LENGTH, 1]);
  rng.randint(0, VOCAB, 3 * LENGTH).forEach((drawn, i) => {
    const id = i % LENGTH === 0 ? BOS : drawn;
    if (i % LENGTH === 3 && i < 2 * LENGTH) placement.data[i] = 1;
    else embeddings.data.set(table.subarray(id * WIDTH, (id + 1) * WIDTH), i * WIDTH);
  });
  const word = ndArray(table.slice(513 * WIDTH, 514 * WIDTH), [1, WIDTH]);
  return { sample, target, lossWeight, reference, noise, timesteps, embeddings, placement, word };
}

/** The row that is not EDSD's: a guided sample, or (the same loss) a picture of the concept. */
const SECOND = {
  modeShift: { options: {}, target: 'target', weight: 'loss_weight' },
  pictures: {
    options: { modeShift: 0, references: 0.7, referenceBatch: 1 },
    target: 'own_target',
    weight: 'own_loss_weight',
  },
} as const;

test.each([
  ...Object.keys(variants).map((name) => [name, 'modeShift'] as const),
  ['dds', 'pictures'] as const,
  ['guided', 'pictures'] as const,
])('the objective in form "%s" with %s has PyTorch’s gradients', async (name, second) => {
  const form = name as keyof typeof variants;
  const expected = golden.objective[form];
  const { type = 'epsilon', ...changed } = variants[form];
  const row = SECOND[second];
  const options = {
    ...steerDefaults(''),
    edsd: 1.3,
    modeShift: 0.7,
    gamma: 0.2,
    ...changed,
    ...row.options,
  } as SteerOptions;
  const schedule = createSchedule({ ...stableDiffusionSchedule, predictionType: type });
  const given = await inputs();
  const trainables = new Map([
    ...copiesOf(
      new Map([...base.unet.weights.names].map((weight) => [weight, base.unet.weights.shape(weight)])),
      /(attn2\.to_[kv]|conv1)\.weight$/,
      base.unet.weights,
    ),
    [TOKEN_ROWS, { shape: [1, WIDTH], start: async () => given.word }] as const,
  ]);
  const names = [...trainables.keys()];
  const g = new Graph();
  const params = trainingParams(g, trainables, 'float32');
  const edsd = { ...options, predictionType: type, table: gradientRules(backend, names) };
  const { loss, metrics } = objective(g, {
    ...edsd,
    height: 8,
    width: 8,
    tokens: LENGTH,
    unet: { config, params },
    text: { config: base.textEncoder.config, params, vectors: 1 },
  });
  const store = trainingStore(trainables, [base.unet.weights, base.textEncoder.weights]);
  const before = new Map(await Promise.all(names.map(async (n) => [n, await store.read(n)] as const)));
  // one step of gradient descent at rate 1 moves each weight by minus its gradient
  const trainer = await compileStep(g, loss, names, store, { optimiser: sgd(), metrics });
  const draw = {
    t: given.timesteps[0]!,
    weight: 0.8,
    noise: given.noise,
    sample: rows(given.sample, 0, 1),
  };
  const prompts = options.edsdGuidance === 1 ? 2 : 3;
  const result = await trainer.step(
    {
      ...edsdFeeds(schedule, draw, given.reference, edsd, embed),
      sample: given.sample,
      [row.target]: given.target,
      [row.weight]: given.lossWeight,
      time_embedding: embed(...given.timesteps),
      embeddings: rows(given.embeddings, 0, prompts),
      placement: rows(given.placement, 0, prompts),
    },
    1,
  );
  expect(result.loss).toBeCloseTo(expected.loss, 5);
  for (const metric of ['delta2', 'gap'] as const) {
    expect(result.metrics![metric]).toBeCloseTo(expected[metric], 5);
  }
  expect(result.metrics![second]).toBeCloseTo(expected.modeShift, 5);
  expect(result.gradNorm / expected.norm).toBeCloseTo(1, 4);
  const { weights } = await trainer.state();
  expect(names.toSorted()).toEqual(Object.keys(expected.sums).toSorted());
  for (const [weight, [sum, squares]] of Object.entries(expected.sums as Record<string, number[]>)) {
    const gradient = weights.get(weight)!.data.map((v, i) => before.get(weight)!.data[i]! - v);
    const slack = 1e-4 * Math.sqrt(squares! * gradient.length) + 1e-6 * gradient.length;
    expect(Math.abs(gradient.reduce((a, b) => a + b, 0) - sum!)).toBeLessThan(slack);
    expect(gradient.reduce((a, b) => a + b * b, 0)).toBeCloseTo(squares!, 4);
  }
  await trainer.dispose();
  store.dispose();
});

test('the gradient of PatchNCE with respect to the latent is PyTorch’s', async () => {
  const rng = createTorchRng(301);
  const latents = ndArray(rng.randn(512), [2, 4, 8, 8]);
  const contexts = ndArray(rng.randn(2 * LENGTH * WIDTH), [2, LENGTH, WIDTH]);
  const size = { height: 8, width: 8, tokens: LENGTH, limits: {}, layers: 'all', patches: 6 } as const;
  const features = await featureNetwork(base, size);
  const guide = await guideNetwork(base, size);
  const source = await features.features(rows(latents, 0, 1), 400, rows(contexts, 0, 1));
  const { loss, output, gradient } = await guide.guide(
    rows(latents, 1, 2),
    400,
    rows(contexts, 1, 2),
    source,
    createTorchRng(302),
  );
  const { guidance } = golden;
  expect(loss).toBeCloseTo(guidance.loss, 4);
  expect(output.data.reduce((a, b) => a + b * b, 0)).toBeCloseTo(guidance.output[1]!, 3);
  gradient.data.forEach((v, i) => {
    expect(Math.abs(v - guidance.gradient[i]!)).toBeLessThan(1e-4);
  });
  await features.dispose();
  await guide.dispose();
});
