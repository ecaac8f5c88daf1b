import { type NdArray, ndArray, sizeOf } from '../util/nd-array';
import { createStepRng, type TorchRng } from '../util/random';
import { addNoise, levelAt, type Schedule } from './schedule';

/** How much a timestep counts in a score-distillation loss, w(t). */
export type ScoreWeight = 'one' | 'variance';

/** One draw of the expectation over t and ε in SDS, DDS and EDSD. Both branches of a difference share it. */
export interface ScoreDraw {
  readonly t: number;
  readonly noise: NdArray;
  /** w(t) */
  readonly weight: number;
}

/**
 * Draw t ~ U{tMin … tMax − 1}, then ε ~ N(0, I): torch.randint, then torch.randn.
 *
 * @param weight  'one' as in the DDS code; 'variance' is 1 − ᾱ_t, as in DreamFusion and ethanhe42/dds
 * @see METHOD.md 2 (B3, B4), 7.1
 */
export function drawScore(
  rng: TorchRng,
  schedule: Schedule,
  shape: readonly number[],
  {
    tMin,
    tMax,
    weight = 'one',
  }: { readonly tMin: number; readonly tMax: number; readonly weight?: ScoreWeight },
): ScoreDraw {
  const t = rng.randint(tMin, tMax, 1)[0]!;
  const noise = ndArray(rng.randn(sizeOf(shape)), shape);
  return { t, noise, weight: weight === 'one' ? 1 : levelAt(schedule, t).sigma ** 2 };
}

/** Timesteps in the middle of `count` equal parts of [tMin, tMax): their mean stands for that of many draws. */
export const spreadTimesteps = (tMin: number, tMax: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(tMin + ((i + 0.5) * (tMax - tMin)) / count));

/** What look number `index` at a picture sees before it is edited: the picture at timestep t, in noise of the seed. */
export function lookAt(
  schedule: Schedule,
  latent: NdArray,
  t: number,
  { seed, index }: { readonly seed: number; readonly index: number },
): NdArray {
  const rng = createStepRng(seed, -1 - index);
  const { noise } = drawScore(rng, schedule, latent.shape, { tMin: t, tMax: t + 1 });
  return addNoise(schedule, latent, noise, t);
}
