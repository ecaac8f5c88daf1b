import { join } from 'node:path';
import type { ModelParts } from '../src/diffusion/model';
import { loadParts } from '../src/engine/load-model';
import { timestepEmbedding } from '../src/models/embeddings';
import { fromInputs } from '../src/models/params';
import { unet, unetInputs } from '../src/models/unet';
import { Graph } from '../src/onnx/graph';
import { withLora } from '../src/personalization/lora';
import { personalizationMethods } from '../src/personalization/methods';
import { firstTokenDetached, plan } from '../src/personalization/plan';
import { openBackend } from '../src/runtime/backend';
import { loadOrtNode } from '../src/runtime/ort-node';
import { type Arrays, compile } from '../src/runtime/session';
import { adamw } from '../src/training/adamw';
import { denoisingLoss } from '../src/training/denoising-loss';
import { compileStep } from '../src/training/step';
import { trainingParams, trainingStore } from '../src/training/trainable';
import { type NdArray, ndArray, sizeOf, zeros } from '../src/util/nd-array';
import { createTorchRng } from '../src/util/random';
import { diskTree } from '../tools/disk-tree';
import { type Bench, type Contender, takeTurns } from './measure';

const STARTER = join(import.meta.dirname, '../public/models/starter');

/** What the floor of each kind is: a forward, and a backward through what gradients must pass (input side, weight side). */
const TARGETS = { light: 2.6, remat: 3.5, full: 3.8 };

/** Training steps of the starter against its UNet's forward with as many rows, on onnxruntime-node. */
export const training: Bench = async () => {
  const backend = await openBackend('node', { load: loadOrtNode, threads: 2 });
  const base = await loadParts(diskTree(STARTER), backend, 'float32');
  const contenders: Record<string, Contender> = {
    'forward 1': await forward(base, 1),
    'forward 2': await forward(base, 2),
  };
  for (const name of Object.keys(personalizationMethods)) {
    contenders[name] = await step(base, name, rowsOf(name), false);
    contenders[`${name}, recomputed`] = await step(base, name, rowsOf(name), true);
  }
  const times = await takeTurns(contenders, { turns: 5, runs: 2 });
  backend.dispose();
  return [
    { name: 'starter UNet forward, 1 row', value: times['forward 1']!, unit: 'ms' },
    ...Object.keys(personalizationMethods).flatMap((name) => {
      const rows = rowsOf(name);
      const one = times[`forward ${rows}`]!;
      const full = name === 'dreambooth';
      return [
        {
          name: `${name} step ÷ forward, ${rows} row${rows > 1 ? 's' : ''}`,
          value: times[name]! / one,
          unit: '×' as const,
          target: full ? TARGETS.full : TARGETS.light,
        },
        {
          name: `${name} step ÷ forward, blocks recomputed`,
          value: times[`${name}, recomputed`]! / one,
          unit: '×' as const,
          ...(!full && { target: TARGETS.remat }),
        },
      ];
    }),
  ];
};

const rowsOf = (name: string): number => personalizationMethods[name]!.defaults.batch;

const noise = (shape: readonly number[], seed: number): NdArray =>
  ndArray(createTorchRng(seed).randn(sizeOf(shape)), shape);

const timed = (run: () => Promise<unknown>): Contender => {
  return async (runs) => {
    const times: number[] = [];
    for (let i = 0; i < runs; i++) {
      const from = performance.now();
      await run();
      times.push(performance.now() - from);
    }
    return times;
  };
};

function unetFeeds({ unet: { config }, tokenizer }: ModelParts, batch: number): Arrays {
  const [height, width] = config.sampleSize as [number, number];
  return {
    sample: noise([batch, config.inChannels, height, width], 1),
    time_embedding: timestepEmbedding(Array(batch).fill(500), config.down[0]!.channels, config),
    encoder_hidden_states: noise([batch, tokenizer.modelMaxLength, config.crossAttentionDim], 2),
  };
}

async function forward(base: ModelParts, batch: number): Promise<Contender> {
  const { config, weights } = base.unet;
  const [height, width] = config.sampleSize as [number, number];
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch, height, width, tokens: base.tokenizer.modelMaxLength });
  const program = await compile(g, { output: unet(g, fromInputs(g), inputs, config) }, weights);
  const feeds = unetFeeds(base, batch);
  return timed(() => program.run(feeds));
}

async function step(base: ModelParts, name: string, batch: number, recompute: boolean): Promise<Contender> {
  const method = personalizationMethods[name]!;
  const { options, trainables } = plan(base, {
    method: name,
    options: method.defaults,
    pictures: [zeros([1, 3, 8, 8])],
    token: '<new>',
    classWord: 'cat',
    seed: 0,
  });
  const { config } = base.unet;
  const [height, width] = config.sampleSize as [number, number];
  const g = new Graph();
  const params = trainingParams(g, trainables, 'float32');
  const loss = denoisingLoss(g, {
    batch,
    height,
    width,
    tokens: base.tokenizer.modelMaxLength,
    unet: { config, params: withLora(g, params, trainables, 1) },
    ...(options.vectors > 0 && {
      text: { config: base.textEncoder.config, params, vectors: options.vectors },
    }),
    ...(method.detachFirstToken && { tap: firstTokenDetached(g) }),
  });
  const store = trainingStore(trainables, [base.unet.weights, base.textEncoder.weights]);
  const trainer = await compileStep(g, loss, [...trainables.keys()], store, {
    optimiser: adamw(),
    maxGradNorm: 1,
    ...(recompute && { recompute: ['block'] as const }),
  });
  const data: Record<string, NdArray> = {
    ...unetFeeds(base, batch),
    target: noise([batch, config.outChannels, height, width], 3),
    loss_weight: ndArray(new Float32Array(batch * height * width).fill(1e-4), [batch, 1, height, width]),
    embeddings: noise([batch, base.tokenizer.modelMaxLength, base.textEncoder.config.width], 4),
    placement: zeros([batch, base.tokenizer.modelMaxLength, options.vectors || 1]),
  };
  const feeds = Object.fromEntries(g.feeds.map(({ name: feed }) => [feed, data[feed]!]));
  return timed(() => trainer.step(feeds, 1e-6));
}
