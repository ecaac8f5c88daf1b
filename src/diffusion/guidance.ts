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

/** The same, also with a timestep for each row. */
export interface PredictRows extends PredictNoise {
  (x: NdArray, t: number | readonly number[], context: NdArray): Promise<NdArray>;
}

/**
 * Predict noise with any network. Differences of predictions (guidance, DDS) must be taken between noises: v and
 * sample outputs at one t differ from noise by a factor that depends on t (FORMATS.md 2.2).
 */
export function noisePredictor<T extends number | readonly number[]>(
  network: ((x: NdArray, t: T, context: NdArray) => Promise<NdArray>) & Pick<Network, 'batched'>,
  schedule: Schedule,
) {
  const predict = async (x: NdArray, t: T, context: NdArray): Promise<NdArray> =>
    noiseOf(schedule, await network(x, t, context), x, t);
  return Object.assign(predict, { batched: network.batched ?? false });
}

/** ε̂ of a network's output [B,C,h,w] at x [B,C,h,w], t of all rows or of each. */
export function noiseOf(
  schedule: Schedule,
  output: NdArray,
  x: NdArray,
  t: number | readonly number[],
): NdArray {
  const type = schedule.predictionType;
  if (type === 'epsilon') return output;
  if (typeof t === 'number') return predictions(type, output, x, levelAt(schedule, t)).eps;
  const each = t.map((level, i) => noiseOf(schedule, rows(output, i, i + 1), rows(x, i, i + 1), level));
  return stack(each);
}

/** ε̂ of a denoiser, nothing else of it watched. */
export const denoiserNoise = (denoiser: Denoiser, schedule: Schedule): PredictRows =>
  noisePredictor(
    Object.assign(
      async (x: NdArray, t: number | readonly number[], context: NdArray) =>
        (await denoiser.predict(x, t, context)).output,
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
