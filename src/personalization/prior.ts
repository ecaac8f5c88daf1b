/** Pictures of the class, made by the model itself, that keep the class's meaning while the concept is learned. */
import { createDenoiser, type DenoiserOptions } from '../diffusion/denoiser';
import { denoiserNoise, guided } from '../diffusion/guidance';
import type { ModelParts } from '../diffusion/model';
import { samplers } from '../diffusion/samplers';
import { createTextEncoder } from '../diffusion/text-encoder';
import type { Example } from '../training/data';
import { type NdArray, ndArray, sizeOf, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';

/** DDIM steps and guidance of the reference implementations' class pictures. METHOD.md 7.6, 7.7 */
const STEPS = 50;
const GUIDANCE = 6;

export interface PriorOptions {
  readonly classPrompt: string;
  readonly count: number;
  readonly seed: number;
  /** [1,C,h,w] */
  readonly latentShape: readonly number[];
  readonly limits: DenoiserOptions['limits'];
  /** default 50 and 6 */
  readonly steps?: number;
  readonly guidanceScale?: number;
  /** looked at before every network call */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sample the class `count` times, one example per yield. The latents are used as sampled; the reference decodes them to
 * pictures and encodes those again, which costs two passes of the autoencoder and adds its error.
 */
export async function* priorExamples(base: ModelParts, options: PriorOptions): AsyncGenerator<Example> {
  const { classPrompt, count, seed, latentShape, limits, signal } = options;
  const { steps = STEPS, guidanceScale = GUIDANCE } = options;
  const { unet, textEncoder, tokenizer, schedule } = base;
  const [height, width] = latentShape.slice(2) as [number, number];
  const tokens = tokenizer.modelMaxLength;
  const denoiser = createDenoiser(unet.config, unet.weights, { height, width, tokens, limits });
  const text = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer);
  const predict = denoiserNoise(denoiser, schedule);
  try {
    const [empty, conditional] = [await text.embed(''), await text.embed(classPrompt)];
    for (let i = 0; i < count; i++) {
      const noise = ndArray(createTorchRng(seed + i).randn(sizeOf(latentShape)), latentShape);
      const denoise = (x: NdArray, t: number) => {
        signal?.throwIfAborted();
        return guided(predict, x, t, empty, conditional, guidanceScale);
      };
      let mean = noise;
      for await (const { x } of samplers.ddim(denoise, noise, schedule, { steps, predictionType: 'epsilon' }))
        mean = x;
      yield { latent: { mean, std: zeros(latentShape) }, prompts: [classPrompt] };
    }
  } finally {
    await denoiser.dispose();
    await text.dispose();
  }
}
