import { type NdArray, ndArray, sizeOf } from '../util/nd-array';
import type { TorchRng } from '../util/random';
import { levelAt, type Schedule } from './schedule';

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
