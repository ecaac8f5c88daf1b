import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { checkSameSize } from './psnr';
import { luma, type Plane, windows } from './ssim';

/** Exponents of the five scales, finest first. Wang et al. 2003, section 3.2 */
const EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/** The coarsest scale must hold one 11 × 11 window. */
const SMALLEST = 10 * 2 ** (EXPONENTS.length - 1) + 1;

/**
 * Multi-scale structural similarity of two pictures' luma, 0 … 1: the product over five scales, each half the one
 * before, of contrast–structure, and of luminance at the coarsest.
 *
 * @throws AppError SHAPE when sizes differ or a side is below 161 px
 * @see Wang et al. 2003, "Multi-scale structural similarity", eq. (7); product form and edges as pyiqa's `ms_ssim`
 *      (METHOD.md 8)
 */
export function msSsim(a: Pixels, b: Pixels): number {
  checkSameSize(a, b);
  if (Math.min(a.width, a.height) < SMALLEST) {
    throw new AppError(
      'SHAPE',
      `MS-SSIM needs pictures of ${SMALLEST} × ${SMALLEST} px or more, not ${a.width} × ${a.height}`,
    );
  }
  let [x, y] = [luma(a), luma(b)];
  let product = 1;
  for (const [scale, exponent] of EXPONENTS.entries()) {
    if (scale > 0) [x, y] = [halved(x), halved(y)];
    const last = scale === EXPONENTS.length - 1;
    let sum = 0;
    let count = 0;
    windows(x, y, (_, luminance, contrast) => {
      sum += last ? luminance * contrast : contrast;
      count++;
    });
    product *= (sum / count) ** exponent;
  }
  return product;
}

/** Mean of 2 × 2; an odd side gets a border of zeros first, as PyTorch's padding in the reference. */
function halved({ data, width, height }: Plane): Plane {
  const [left, top] = [width % 2, height % 2];
  const [columns, rows] = [(width + left) / 2, (height + top) / 2];
  const at = (y: number, x: number): number => (y < 0 || x < 0 ? 0 : data[y * width + x]!);
  const out = new Float64Array(columns * rows);
  for (let i = 0; i < out.length; i++) {
    const [y, x] = [2 * Math.floor(i / columns) - top, 2 * (i % columns) - left];
    out[i] = (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1)) / 4;
  }
  return { data: out, width: columns, height: rows };
}
