/** Where the pictures show what they are of. */
import { createDenoiser, type DenoiserOptions } from '../diffusion/denoiser';
import type { ModelParts } from '../diffusion/model';
import { spreadTimesteps } from '../diffusion/score';
import { lookForSubject } from '../diffusion/subject-mask';
import { createTextEncoder } from '../diffusion/text-encoder';
import { watchPhrases } from '../diffusion/watch';
import type { Example } from '../training/data';
import { fillTemplate, PLAIN_TEMPLATE } from './method';

/** Looks at each picture, spread over the middle noise levels, where attention is about things. */
const LOOKS = 8;
const LEVELS = { from: 0.2, to: 0.8 };

export interface RegionOptions {
  readonly classWord: string;
  readonly seed: number;
  readonly limits: DenoiserOptions['limits'];
  /** looked at before every network call */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The same examples, each valid as far as the frozen model's attention sees the class word: the soft mask of an edit
 * (METHOD.md E10), times the region that was valid before.
 */
export async function onSubject(
  base: ModelParts,
  examples: readonly Example[],
  { classWord, seed, limits, signal }: RegionOptions,
): Promise<Example[]> {
  const { unet, textEncoder, tokenizer, schedule } = base;
  const [, , height, width] = examples[0]!.latent.mean.shape as readonly [number, number, number, number];
  const denoiser = createDenoiser(unet.config, unet.weights, {
    height,
    width,
    tokens: tokenizer.modelMaxLength,
    limits,
  });
  const text = createTextEncoder(textEncoder.config, textEncoder.weights, tokenizer);
  const prompt = fillTemplate(PLAIN_TEMPLATE, classWord);
  const { numTrainTimesteps } = schedule;
  const timesteps = spreadTimesteps(LEVELS.from * numTrainTimesteps, LEVELS.to * numTrainTimesteps, LOOKS);
  try {
    const watched = watchPhrases(denoiser, base, prompt, [classWord]);
    if (!watched) return [...examples];
    const context = await text.embed(prompt);
    const regions: Example[] = [];
    for (const { latent, mask: valid, prompts } of examples) {
      const looks = { latent: latent.mean, context, timesteps, seed, signal };
      const { data } = await lookForSubject(watched, schedule, looks);
      const both = data.map((v, i) => v * (valid?.[i] ?? 1));
      // a picture in whose valid region nothing is seen counts as it did
      regions.push({
        latent,
        prompts,
        ...(both.some((v) => v > 0) ? { mask: both } : valid && { mask: valid }),
      });
    }
    return regions;
  } finally {
    await denoiser.dispose();
    await text.dispose();
  }
}
