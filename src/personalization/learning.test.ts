import { expect, test } from 'vitest';
import { timestepEmbedding } from '../models/embeddings';
import { Graph } from '../onnx/graph';
import { openBackend } from '../runtime/backend';
import { loadOrtNode } from '../runtime/ort-node';
import { adamw } from '../training/adamw';
import { denoisingLoss } from '../training/denoising-loss';
import { compileStep } from '../training/step';
import { tinyModel } from '../training/tiny-model';
import { trainingParams, trainingStore } from '../training/trainable';
import { type NdArray, ndArray, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import golden from './golden/learning.json' with { type: 'json' };
import { withLora } from './lora';
import { personalizationMethods } from './methods';
import { firstTokenDetached, plan } from './plan';

const backend = await openBackend('node', { load: loadOrtNode, threads: 2 });
/** New words start where tools/oracle/make_learning.py has them start. */
const base = { ...tinyModel(backend), rareWord: 'cat' };
const [ROWS, LENGTH, VOCAB, BOS] = [2, 12, 517, 515];

/** As tools/oracle/make_learning.py. */
async function feeds(step: number) {
  const rng = createTorchRng(100 + step);
  const draw = (n: number, shape: number[]): NdArray => ndArray(rng.randn(n), shape);
  const sample = draw(512, [ROWS, 4, 8, 8]);
  const target = draw(512, [ROWS, 4, 8, 8]);
  const loss_weight = ndArray(
    rng.rand(128).map((v) => v / 256),
    [ROWS, 1, 8, 8],
  );
  const timesteps = rng.randint(0, 1000, ROWS);
  const ids = rng.randint(0, VOCAB, ROWS * LENGTH);
  const { config } = base.unet;
  const { data: table } = await base.textEncoder.weights.read('text_model.embeddings.token_embedding.weight');
  const embeddings = zeros([ROWS, LENGTH, 16]);
  const placement = zeros([ROWS, LENGTH, 1]);
  ids.forEach((drawn, i) => {
    const id = i % LENGTH === 0 ? BOS : drawn;
    if (i % LENGTH === 3) placement.data[i] = 1;
    else embeddings.data.set(table.subarray(id * 16, (id + 1) * 16), i * 16);
  });
  const time_embedding = timestepEmbedding(timesteps, config.down[0]!.channels, config);
  return { sample, target, loss_weight, time_embedding, embeddings, placement };
}

const runs: readonly [keyof typeof golden, string, { readonly textEncoder?: number }, number][] = [
  ['textual-inversion', 'textual-inversion', {}, 2e-3],
  ['custom-diffusion', 'custom-diffusion', {}, 1e-3],
  ['dreambooth-lora', 'dreambooth-lora', {}, 1e-2],
  ['dreambooth', 'dreambooth', {}, 1e-3],
  ['dreambooth-text', 'dreambooth', { textEncoder: 1 }, 1e-3],
];

for (const [label, name, changed, lr] of runs) {
  test(`three steps of ${label} are those of diffusers`, async () => {
    const expected = golden[label];
    const { defaults, detachFirstToken } = personalizationMethods[name]!;
    const request = {
      method: name,
      pictures: [zeros([1, 3, 16, 16])],
      token: '<new>',
      classWord: 'cat',
      seed: 5,
    };
    const { options, trainables } = plan(base, { ...request, options: { ...defaults, ...changed } });

    const g = new Graph();
    const params = trainingParams(g, trainables, 'float32');
    const loss = denoisingLoss(g, {
      batch: ROWS,
      height: 8,
      width: 8,
      tokens: LENGTH,
      unet: {
        config: base.unet.config,
        params: withLora(g, params, trainables, options.rank ? options.alpha / options.rank : 0),
      },
      text: { config: base.textEncoder.config, params: rowsGiven(g, params), vectors: 1 },
      ...(detachFirstToken && { tap: firstTokenDetached(g) }),
    });
    const store = trainingStore(trainables, [base.unet.weights, base.textEncoder.weights]);
    const trainer = await compileStep(g, loss, [...trainables.keys()], store, {
      optimiser: adamw(),
      maxGradNorm: 1,
    });
    const word = ndArray(
      (await base.textEncoder.weights.read('text_model.embeddings.token_embedding.weight')).data.slice(
        513 * 16,
        514 * 16,
      ),
      [1, 16],
    );
    for (let step = 0; step < expected.losses.length; step++) {
      const rows = g.feeds.some((v) => v.name === 'word') ? { word } : {};
      const result = await trainer.step({ ...(await feeds(step)), ...rows }, lr);
      expect(result.loss / expected.losses[step]!).toBeCloseTo(1, 4);
      expect(result.gradNorm / expected.norms[step]!).toBeCloseTo(1, 3);
    }
    const { weights } = await trainer.state();
    expect([...weights.keys()].toSorted()).toEqual(Object.keys(expected.sums).toSorted());
    for (const [weight, [sum, squares]] of Object.entries(expected.sums as Record<string, number[]>)) {
      // softmax cancels a key's bias: its gradient is rounding noise, which Adam makes as large as any other
      if (weight.endsWith('k_proj.bias')) continue;
      const { data } = weights.get(weight)!;
      // a weight moves by about lr per step: sums must agree to a small part of that
      const slack = 0.02 * lr * data.length ** 0.5 + 1e-5 * Math.sqrt(squares!);
      expect(Math.abs(data.reduce((a, b) => a + b, 0) - sum!)).toBeLessThan(slack + 1e-4);
      expect(data.reduce((a, b) => a + b * b, 0)).toBeCloseTo(squares!, 2);
    }
    await trainer.dispose();
  });

  /** Methods that learn no word are shown the class word in its place. */
  function rowsGiven(g: Graph, params: ReturnType<typeof trainingParams>): typeof params {
    return (weight, shape) =>
      weight === 'learned_tokens' && !personalizationMethods[name]!.defaults.vectors
        ? g.feed('word', shape)
        : params(weight, shape);
  }
}
