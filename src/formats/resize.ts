import pica from 'pica';
import type { Pixels } from '../util/pixels';

/** Plain JavaScript arithmetic in fixed point: the same bytes in every browser and in Node. */
const resizer = pica({ features: ['js'] });

/** 'lanczos3' for pictures; 'box' averages exactly, for masks. Filters widen when shrinking, as PIL's do. */
export type ResizeFilter = 'lanczos3' | 'box';

/**
 * Resizes to width × height px, each ≥ 1. Colour is weighted by alpha, so transparent pixels do not bleed.
 *
 * Lanczos agrees with PIL's `Image.LANCZOS` to 1 of 255 levels where nothing overshoots; PIL clips to [0,255] also
 * between its two passes, pica only after the second.
 */
export async function resize(
  pixels: Pixels,
  width: number,
  height: number,
  filter: ResizeFilter = 'lanczos3',
): Promise<Pixels & { data: Uint8ClampedArray<ArrayBuffer> }> {
  if (width === pixels.width && height === pixels.height) {
    return { data: new Uint8ClampedArray(pixels.data), width, height };
  }
  const dest = new Uint8Array(4 * width * height);
  await resizer.resizeBuffer({
    src: pixels.data,
    width: pixels.width,
    height: pixels.height,
    toWidth: width,
    toHeight: height,
    filter,
    dest,
  });
  return { data: new Uint8ClampedArray(dest.buffer), width, height };
}
