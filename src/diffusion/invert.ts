import type { NdArray } from '../util/nd-array';
import type { Denoise, SamplerOptions, SamplerStep } from './samplers';
import { levelAt, mix, predictions, type Schedule } from './schedule';
import { timestepGrid } from './timesteps';

/**
 * DDIM run upwards: the noise from which DDIM would (nearly) arrive at this latent. The network is asked at the
 * destination time t while the latent is still one step below, and the walk ends at the first timestep of the
 * sampling grid (981 for 50 steps), not at T − 1: both as in the reference. Denoise without guidance (w = 1).
 *
 * @param x  clean latent [B,C,h,w]
 * @see Song et al. 2021, arXiv:2010.02502, eq. (13); METHOD.md 7.8; FORMATS.md 2.4
 */
export async function* invertDdim(
  denoise: Denoise,
  x: NdArray,
  schedule: Schedule,
  { steps, predictionType = schedule.predictionType }: Pick<SamplerOptions, 'steps' | 'predictionType'>,
): AsyncGenerator<SamplerStep, NdArray> {
  const stride = Math.floor(schedule.numTrainTimesteps / steps);
  for (const [index, t] of timestepGrid(schedule, steps).reverse().entries()) {
    const output = await denoise(x, t);
    const { x0, eps } = predictions(predictionType, output, x, levelAt(schedule, t - stride));
    x = mix(levelAt(schedule, t), x0, eps);
    yield { index, total: steps, timestep: t, x, denoised: x0 };
  }
  return x;
}
