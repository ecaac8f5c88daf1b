import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { checkSameSize, type Weights } from './psnr';

/** 11 taps of a Gaussian, σ = 1.5. */
const taps = (() => {
  const raw = Array.from({ length: 11 }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * 1.5 ** 2)));
  const sum = raw.reduce((a, b) => a + b);
  return raw.map((v) => v / sum);
})();
const border = 5;
const c1 = (0.01 * 255) ** 2;
const c2 = (0.03 * 255) ** 2;

/** One channel, row by row, 0 … 255. */
export interface Plane {
  readonly data: Float64Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Structural similarity of two pictures' luma, at most 1, at full resolution: 11 × 11 Gaussian windows that lie inside
 * the picture, contrast–structure clipped at 0. Weights count at window centres; null where they are all zero.
 *
 * @throws AppError SHAPE when sizes differ or a side is below 11 px
 * @see Wang et al. 2004, "Image Quality Assessment", eq. (13); settings of pyiqa's `ssim` (METHOD.md 8)
 */
export function ssim(a: Pixels, b: Pixels, weights?: Weights): number | null {
  checkSameSize(a, b, weights);
  const { width } = a;
  const columns = width - 2 * border;
  let sum = 0;
  let total = 0;
  windows(luma(a), luma(b), (i, luminance, contrast) => {
    const centre = (Math.floor(i / columns) + border) * width + (i % columns) + border;
    const weight = weights ? weights.data[centre]! : 1;
    sum += weight * luminance * contrast;
    total += weight;
  });
  return total > 0 ? sum / total : null;
}

/**
 * Luminance and contrast–structure (clipped at 0) of every window inside two planes of one size.
 *
 * @param see  called with the window's index in the (height − 10) × (width − 10) grid
 * @throws AppError SHAPE when a side is below 11 px
 */
export function windows(
  { data: x, width, height }: Plane,
  { data: y }: Plane,
  see: (index: number, luminance: number, contrast: number) => void,
): void {
  if (width < taps.length || height < taps.length) {
    throw new AppError('SHAPE', `SSIM needs pictures of 11 × 11 px or more, not ${width} × ${height}`);
  }
  const smooth = (f: (i: number) => number) =>
    blur(
      Float64Array.from(x, (_, i) => f(i)),
      width,
      height,
    );
  const meanX = smooth((i) => x[i]!);
  const meanY = smooth((i) => y[i]!);
  const squareX = smooth((i) => x[i]! ** 2);
  const squareY = smooth((i) => y[i]! ** 2);
  const product = smooth((i) => x[i]! * y[i]!);
  for (let i = 0; i < meanX.length; i++) {
    const [mx, my] = [meanX[i]!, meanY[i]!];
    const luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1);
    const contrast =
      (2 * (product[i]! - mx * my) + c2) / (squareX[i]! - mx * mx + squareY[i]! - my * my + c2);
    see(i, luminance, Math.max(contrast, 0));
  }
}

/** Y of YIQ. */
export function luma({ data, width, height }: Pixels): Plane {
  const y = Float64Array.from(
    { length: width * height },
    (_, p) => 0.299 * data[p * 4]! + 0.587 * data[p * 4 + 1]! + 0.114 * data[p * 4 + 2]!,
  );
  return { data: y, width, height };
}

/** Gaussian mean of every window inside the picture, (height − 10) × (width − 10). */
function blur(plane: Float64Array, width: number, height: number): Float64Array {
  const columns = width - 2 * border;
  const rows = height - 2 * border;
  const across = new Float64Array(columns * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < taps.length; k++) sum += taps[k]! * plane[y * width + x + k]!;
      across[y * columns + x] = sum;
    }
  }
  const out = new Float64Array(columns * rows);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = 0; k < taps.length; k++) sum += taps[k]! * across[i + k * columns]!;
    out[i] = sum;
  }
  return out;
}
