import { cropSquare } from '../../src/formats/crop';
import { resize } from '../../src/formats/resize';
import { toMask } from '../../src/formats/tensor';
import { outside, psnr } from '../../src/metrics/psnr';
import { ssim } from '../../src/metrics/ssim';
import type { Pixels } from '../../src/util/pixels';
import type { EditOutput } from './run';

/**
 * How far the edit is from the photo, in the square at model resolution: `result` after stitching, `model` what the
 * network returned. Inside and outside are weighted by the soft mask; null without one.
 */
export async function measure(photo: Pixels, stitched: Pixels, { result, edited, mask }: EditOutput) {
  const { square } = result.recipe;
  const before = await cropSquare(photo, square, edited.width);
  const after = await cropSquare(stitched, square, edited.width);
  const inside = mask && toMask(await resize(mask, edited.width, edited.width));
  const compare = (picture: Pixels) => ({
    psnr: psnr(before, picture),
    ssim: ssim(before, picture),
    psnrInside: inside && psnr(before, picture, inside),
    ssimInside: inside && ssim(before, picture, inside),
    psnrOutside: inside && psnr(before, picture, outside(inside)),
    ssimOutside: inside && ssim(before, picture, outside(inside)),
  });
  return { result: compare(after), model: compare(edited) };
}
