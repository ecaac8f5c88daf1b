import { axpby, type NdArray, rows, stack } from '../util/nd-array';
import type { Denoiser } from './denoiser';
import { levelAt, predictions, type Schedule } from './schedule';

/** A denoising network: latents [B,C,h,w], one timestep for all, text states [B,L,D] → output [B,C,h,w]. */
export interface Network {
  (x: NdArray, t: number, context: NdArray): Promise<NdArray>;
  /** takes B = 2; else one latent at a time */
  readonly batched?: boolean;
}

/** A network whose output is the predicted noise ε̂, whatever it was trained to output. */
export type PredictNoise = Network;

/**
 * Predict noise with any network. Differences of predictions (guidance, DDS) must be taken between noises: v and
 * sample outputs at one t differ from noise by a factor that depends on t (FORMATS.md 2.2).
 */
export function noisePredictor(network: Network, schedule: Schedule): PredictNoise {
  if (schedule.predictionType === 'epsilon') return network;
  const predict = async (x: NdArray, t: number, context: NdArray): Promise<NdArray> => {
    const output = await network(x, t, context);
    return predictions(schedule.predictionType, output, x, levelAt(schedule, t)).eps;
  };
  return Object.assign(predict, { batched: network.batched ?? false });
}

/** ε̂ of a denoiser, nothing else of it watched. */
export const denoiserNoise = (denoiser: Denoiser, schedule: Schedule): PredictNoise =>
  noisePredictor(
    Object.assign(
      async (x: NdArray, t: number, context: NdArray) => (await denoiser.predict(x, t, context)).output,
      { batched: denoiser.maxBatch >= 2 },
    ),
    schedule,
  );

/**
 * Classifier-free guidance: ε̂ = ε̂(∅) + w·(ε̂(y) − ε̂(∅)). One pass when w = 1; else a batch of two where the network
 * takes it, or two passes.
 *
 * @param x              latent [1,C,h,w]
 * @param unconditional  text states of the empty (or negative) prompt, [1,L,D]
 * @param conditional    text states of the prompt, [1,L,D]
 * @param w              guidance scale, dimensionless; 0 is the empty prompt alone
 * @see Ho, Salimans 2022, "Classifier-Free Diffusion Guidance", arXiv:2207.12598 (whose w is one less)
 */
export async function guided(
  predict: PredictNoise,
  x: NdArray,
  t: number,
  unconditional: NdArray,
  conditional: NdArray,
  w: number,
  { batched = predict.batched ?? false } = {},
): Promise<NdArray> {
  if (w === 1) return predict(x, t, conditional);
  if (w === 0) return predict(x, t, unconditional);
  let without: NdArray;
  let within: NdArray;
  if (batched) {
    const both = await predict(stack([x, x]), t, stack([unconditional, conditional]));
    without = rows(both, 0, 1);
    within = rows(both, 1, 2);
  } else {
    without = await predict(x, t, unconditional);
    within = await predict(x, t, conditional);
  }
  return axpby(1 - w, without, w, within);
}
