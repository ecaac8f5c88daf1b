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
import type { BackendName } from '../src/runtime/capabilities';
import type { OrtLoader } from '../src/runtime/ort';
import { type Arrays, compile } from '../src/runtime/session';
import { adamw } from '../src/training/adamw';
import { denoisingLoss } from '../src/training/denoising-loss';
import { compileStep } from '../src/training/step';
import { trainingParams, trainingStore } from '../src/training/trainable';
import { memoizePromise } from '../src/util/async';
import type { FileTree } from '../src/util/byte-source';
import { type NdArray, ndArray, sizeOf, zeros } from '../src/util/nd-array';
import { createTorchRng } from '../src/util/random';
import { type Contender, timed } from './measure';

/** What to time of the starter; equal specs share one program. Plain data. */
export type StepSpec = {
  readonly backend: BackendName;
  readonly rows: number;
} & (
  | { readonly forward: true }
  | {
      /** name of a row in personalization/methods.ts */
      readonly method: string;
      readonly recompute?: readonly ('block' | 'tile')[];
      readonly attentionTile?: number;
    }
);

/** Keeps programs between calls, so that contenders can take turns. */
export function createSteps(load: OrtLoader, tree: FileTree) {
  const parts = memoizePromise(async (name: BackendName) =>
    loadParts(tree, await openBackend(name, { load, threads: 2 }), 'float32'),
  );
  const prepare = memoizePromise(async (key: string): Promise<Contender> => {
    const spec = JSON.parse(key) as StepSpec;
    const base = await parts(spec.backend);
    return timed('forward' in spec ? await forward(base, spec.rows) : await step(base, spec));
  });
  return {
    /** Milliseconds of each of `runs` runs. */
    time: async (spec: StepSpec, runs: number) => (await prepare(JSON.stringify(spec)))(runs),
  };
}

const noise = (shape: readonly number[], seed: number): NdArray =>
  ndArray(createTorchRng(seed).randn(sizeOf(shape)), shape);

function unetFeeds({ unet: { config }, tokenizer }: ModelParts, batch: number): Arrays {
  const [height, width] = config.sampleSize as [number, number];
  return {
    sample: noise([batch, config.inChannels, height, width], 1),
    time_embedding: timestepEmbedding(Array(batch).fill(500), config.down[0]!.channels, config),
    encoder_hidden_states: noise([batch, tokenizer.modelMaxLength, config.crossAttentionDim], 2),
  };
}

async function forward(base: ModelParts, batch: number): Promise<() => Promise<unknown>> {
  const { config, weights } = base.unet;
  const [height, width] = config.sampleSize as [number, number];
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch, height, width, tokens: base.tokenizer.modelMaxLength });
  const program = await compile(g, { output: unet(g, fromInputs(g), inputs, config) }, weights);
  const feeds = unetFeeds(base, batch);
  return () => program.run(feeds);
}

async function step(
  base: ModelParts,
  {
    method: name,
    rows: batch,
    recompute = [],
    attentionTile,
  }: Extract<StepSpec, { readonly method: string }>,
): Promise<() => Promise<unknown>> {
  const { options, trainables, method } = plan(base, {
    method: name,
    options: personalizationMethods[name]!.defaults,
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
    ...(attentionTile && { attentionTile }),
  });
  const store = trainingStore(trainables, [base.unet.weights, base.textEncoder.weights]);
  const trainer = await compileStep(g, loss, [...trainables.keys()], store, {
    optimiser: adamw(),
    maxGradNorm: 1,
    recompute,
  });
  const data: Record<string, NdArray> = {
    ...unetFeeds(base, batch),
    target: noise([batch, config.outChannels, height, width], 3),
    loss_weight: ndArray(new Float32Array(batch * height * width).fill(1e-4), [batch, 1, height, width]),
    embeddings: noise([batch, base.tokenizer.modelMaxLength, base.textEncoder.config.width], 4),
    placement: zeros([batch, base.tokenizer.modelMaxLength, options.vectors || 1]),
  };
  const feeds = Object.fromEntries(g.feeds.map(({ name: feed }) => [feed, data[feed]!]));
  return () => trainer.step(feeds, 1e-6);
}
