import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';

/** Weight of each pixel in a metric, [1,1,H,W] in [0,1], at the size of the pictures. */
export type Weights = NdArray;

/**
 * Peak signal-to-noise ratio over red, green and blue, dB: 10·log10(255² / mean squared error). Infinity for equal
 * pictures; null where the weights are all zero.
 *
 * @throws AppError SHAPE when sizes differ
 */
export function psnr(a: Pixels, b: Pixels, weights?: Weights): number | null {
  checkSameSize(a, b, weights);
  let error = 0;
  let total = 0;
  for (let p = 0; p < a.width * a.height; p++) {
    const weight = weights ? weights.data[p]! : 1;
    total += 3 * weight;
    for (let k = 0; k < 3; k++) error += weight * (a.data[p * 4 + k]! - b.data[p * 4 + k]!) ** 2;
  }
  return total > 0 ? 10 * Math.log10((255 ** 2 * total) / error) : null;
}

/** 1 − weights: what lies outside a mask. */
export const outside = (weights: Weights): Weights => ({
  data: weights.data.map((w) => 1 - w),
  shape: weights.shape,
});

export function checkSameSize(a: Pixels, b: Pixels, weights?: Weights): void {
  if (a.width !== b.width || a.height !== b.height) {
    throw new AppError(
      'SHAPE',
      `pictures of ${a.width} × ${a.height} and ${b.width} × ${b.height} cannot be compared`,
    );
  }
  if (weights && (weights.shape.at(-2) !== a.height || weights.shape.at(-1) !== a.width)) {
    throw new AppError(
      'SHAPE',
      `weights [${weights.shape}] do not cover a picture of ${a.width} × ${a.height}`,
    );
  }
}
