import { expect, test } from 'vitest';
import { createModel } from '../diffusion/model';
import type { Concept } from '../personalization/concept';
import { openBackend } from '../runtime/backend';
import { loadOrtWeb } from '../runtime/ort-web';
import { tinyModel } from '../training/tiny-model';
import { memoizePromise } from '../util/async';
import { type NdArray, ndArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { applyFit, type Fit } from './fit';
import { steer } from './steer';

const noise = (seed: number, shape: readonly number[]): NdArray =>
  ndArray(createTorchRng(seed).randn(shape.reduce((a, b) => a * b)), shape);

/** A word and how the model listens to it: gradients flow through text encoder and UNet. */
const fitOn = memoizePromise(async (name: 'wasm' | 'webgpu') => {
  const parts = tinyModel(await openBackend(name, { load: loadOrtWeb, threads: 1 }));
  const { weights } = parts.unet;
  const keys = [...weights.names].filter((key) => /^up_blocks.*\.attn2\.to_[kv]\.weight$/.test(key));
  const concept: Concept = {
    method: 'custom-diffusion',
    token: '<miso>',
    classWord: 'cat',
    subject: '<miso> cat',
    rows: noise(1, [1, 16]),
    unet: new Map(keys.map((key, i) => [key, noise(2 + i, weights.shape(key))])),
    text: new Map(),
    lora: null,
  };
  const model = createModel(parts, {});
  const job = steer(model, {
    concept,
    picture: noise(9, [1, 3, 16, 16]),
    sourcePrompt: 'a cat',
    targetPrompt: 'a <miso> cat',
    options: { samples: 1, ddimSteps: 2, steps: 2, learningRate: 1e-2 },
    seed: 5,
  });
  const metrics: Readonly<Record<string, number>>[] = [];
  for (;;) {
    const next = await job.next();
    if (next.done) return { fit: next.value, metrics, parts, concept };
    if (next.value.kind === 'step') metrics.push(next.value.metrics!);
  }
});

const deltaOf = ({ delta }: Fit) => [...delta.unet.values(), delta.rows!];

test('a fit runs in WebAssembly and changes what the concept learned', async () => {
  const { fit, metrics, parts, concept } = await fitOn('wasm');
  expect(metrics).toHaveLength(2);
  expect(Object.values(metrics[0]!).every((value) => value > 0)).toBe(true);
  const before = [...concept.unet.values(), concept.rows!];
  for (const [i, value] of deltaOf(fit).entries()) expect(value.data).not.toEqual(before[i]!.data);
  expect(applyFit(parts, concept, fit).unet.weights).not.toBe(parts.unet.weights);
});

test('on WebGPU the guided samples and the losses are the same', async () => {
  const [gpu, cpu] = [await fitOn('webgpu'), await fitOn('wasm')];
  gpu.fit.guided[0]!.data.forEach((v, i) => {
    expect(Math.abs(v - cpu.fit.guided[0]!.data[i]!)).toBeLessThan(0.02);
  });
  for (const [name, value] of Object.entries(gpu.metrics[0]!)) {
    expect(value / cpu.metrics[0]![name]!, name).toBeCloseTo(1, 1);
  }
  expect(deltaOf(gpu.fit).every(({ data }) => data.every(Number.isFinite))).toBe(true);
});
