import { guided } from '../diffusion/guidance';
import type { DiffusionModel } from '../diffusion/model';
import { samplers } from '../diffusion/samplers';
import { fromTensor } from '../formats/tensor';
import { type Concept, changesOf } from '../personalization/concept';
import { ndArray, sizeOf } from '../util/nd-array';
import type { Pixels } from '../util/pixels';
import { createTorchRng } from '../util/random';

/** Few DDIM steps show whether a concept is there; guidance below the usual, which few steps would overdo. */
export const SAMPLE_STEPS = 8;
const GUIDANCE = 4;

/**
 * What a concept looks like: always the same noise.
 *
 * @param prompt  with the concept's words in it
 * @param signal  looked at before every network call
 */
export async function sampleConcept(
  model: DiffusionModel,
  concept: Concept,
  prompt: string,
  seed: number,
  signal: AbortSignal,
): Promise<Pixels> {
  const { embed, predictNoise } = await model.personalise(changesOf(model.parts, concept));
  const [empty, conditional] = [await embed(''), await embed(prompt)];
  const { latentShape, schedule } = model;
  const noise = ndArray(createTorchRng(seed).randn(sizeOf(latentShape)), latentShape);
  const denoise = (x: typeof noise, t: number) => {
    signal.throwIfAborted();
    return guided(predictNoise, x, t, empty, conditional, GUIDANCE);
  };
  let latent = noise;
  const options = { steps: SAMPLE_STEPS, predictionType: 'epsilon' } as const;
  for await (const { x } of samplers.ddim(denoise, noise, schedule, options)) latent = x;
  return fromTensor(await model.decode(latent));
}
