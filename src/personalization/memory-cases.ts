/** One training step of each method, to compare what it was predicted to take with what it takes. */
import type { ModelParts } from '../diffusion/model';
import { Graph } from '../onnx/graph';
import { adamw } from '../training/adamw';
import { denoisingLoss } from '../training/denoising-loss';
import { compileStep } from '../training/step';
import { trainingParams, trainingStore } from '../training/trainable';
import type { Trainer } from '../training/trainer';
import { type NdArray, zeros } from '../util/nd-array';
import { withLora } from './lora';
import { personalizationMethods } from './methods';
import { firstTokenDetached, plan } from './plan';

const [BATCH, SIDE, TILE] = [2, 8, 16];

export type Recomputed = readonly ('block' | 'tile')[];

export const noData = (
  feeds: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Record<string, NdArray> => Object.fromEntries(feeds.map(({ name, shape }) => [name, zeros(shape)]));

/** Compile a step of the method and take it, on data of zeros. */
export async function stepOnce(
  base: ModelParts,
  name: string,
  recompute: Recomputed,
): Promise<{ readonly trainer: Trainer; readonly feeds: Record<string, NdArray> }> {
  const { options, trainables, method } = plan(base, {
    method: name,
    options: personalizationMethods[name]!.defaults,
    pictures: [zeros([1, 3, 8, 8])],
    token: '<new>',
    classWord: 'cat',
    seed: 0,
  });
  const { unet: net, textEncoder, tokenizer } = base;
  const g = new Graph();
  const params = trainingParams(g, trainables, 'float32');
  const loss = denoisingLoss(g, {
    batch: BATCH,
    height: SIDE,
    width: SIDE,
    tokens: tokenizer.modelMaxLength,
    unet: { config: net.config, params: withLora(g, params, trainables, 1) },
    ...(options.vectors > 0 && {
      text: { config: textEncoder.config, params, vectors: options.vectors },
    }),
    ...(method.detachFirstToken && { tap: firstTokenDetached(g) }),
    ...(recompute.includes('tile') && { attentionTile: TILE }),
  });
  const store = trainingStore(trainables, [net.weights, textEncoder.weights]);
  const trainer = await compileStep(g, loss, [...trainables.keys()], store, {
    optimiser: adamw(),
    recompute,
  });
  const feeds = noData(g.feeds);
  await trainer.step(feeds, 1e-6);
  return { trainer, feeds };
}
