/** The concept as it was learned, which a fit can be held to. */
import { createDenoiser } from '../diffusion/denoiser';
import { denoiserNoise, type PredictRows } from '../diffusion/guidance';
import type { DiffusionModel, ModelParts } from '../diffusion/model';
import type { StepData } from '../training/data';
import { type NdArray, stack } from '../util/nd-array';

export interface FrozenConcept {
  /** ε̂ */
  readonly noise: PredictRows;
  /** what the network outputs at noised latents [B,C,h,w], a timestep for each row. @param context  text states [1,L,D] */
  outputs(data: Pick<StepData, 'sample' | 'timesteps'>, context: NdArray): Promise<NdArray>;
  dispose(): Promise<void>;
}

/** @param personalised  with the weights that a fit starts from @param source  a latent of the size asked of it */
export function frozenConcept(
  { parts, limits }: Pick<DiffusionModel, 'parts' | 'limits'>,
  { unet, schedule }: ModelParts,
  { shape }: NdArray,
): FrozenConcept {
  const [, , height, width] = shape as readonly [number, number, number, number];
  const size = { height, width, tokens: parts.tokenizer.modelMaxLength, limits };
  const denoiser = createDenoiser(unet.config, unet.weights, size);
  return {
    noise: denoiserNoise(denoiser, schedule),
    async outputs({ sample, timesteps }, context) {
      const contexts = stack(timesteps.map(() => context));
      return (await denoiser.predict(sample, timesteps, contexts)).output;
    },
    dispose: denoiser.dispose,
  };
}
