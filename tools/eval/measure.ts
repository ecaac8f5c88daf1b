import { resize } from '../../src/formats/resize';
import { toTensor } from '../../src/formats/tensor';
import { clipI } from '../../src/metrics/clip-image';
import type { Lpips } from '../../src/metrics/lpips';
import { msSsim } from '../../src/metrics/ms-ssim';
import { outside, psnr } from '../../src/metrics/psnr';
import { ssim } from '../../src/metrics/ssim';
import type { Pixels } from '../../src/util/pixels';
import { conceptOf, type EvalData, type EvalPair, mask, picture } from './data';
import { type ClipSpace, nearestFigure, type Recogniser } from './recognise';

/** What measures: towers and distances by the name of their column. */
export interface Instruments {
  /** the checkpoint's own tower, which also tells figures apart */
  readonly space: ClipSpace;
  readonly towers: ReadonlyMap<string, ClipSpace>;
  readonly lpips: ReadonlyMap<string, Lpips>;
  readonly recogniser: Recogniser;
}

/** MS-SSIM needs 161 px: smaller pictures are enlarged, all pictures alike. */
const MS_SSIM_SIDE = 256;

/** Every number of one edit. `null`: not run. Shares are 0 or 1. */
export async function measureEdit(
  data: EvalData,
  pair: EvalPair,
  edited: Pixels,
  { space, towers, lpips, recogniser }: Instruments,
): Promise<Record<string, number | null>> {
  const { width: side } = edited;
  const [source, truth] = await Promise.all(
    [pair.source, pair.truth].map((file) => picture(data, file, side)),
  );
  const { references, class: wanted, id } = conceptOf(data, pair.concept);
  const surroundings = outside(await mask(data, pair, side));
  const large = (pixels: Pixels) => (side < 161 ? resize(pixels, MS_SSIM_SIDE, MS_SSIM_SIDE) : pixels);
  const seen = await recogniser.classOf(edited);
  const numbers: Record<string, number | null> = {
    'CLIP-I': clipI(await space.vector(edited), await space.vectors(references)),
  };
  for (const [name, tower] of towers) {
    numbers[name] = clipI(await tower.vector(edited), await tower.vectors(references));
  }
  numbers.SSIM = ssim(source!, edited);
  numbers['MS-SSIM'] = msSsim(await large(source!), await large(edited));
  for (const [name, distance] of lpips) {
    numbers[name] = await distance.distance(toTensor(source!), toTensor(edited));
  }
  return {
    ...numbers,
    'PSNR outside': psnr(source!, edited, surroundings),
    'PSNR to truth': psnr(truth!, edited),
    'SSIM to truth': ssim(truth!, edited),
    class: Number(seen === wanted),
    identity: Number((await nearestFigure(data, space, edited)) === id),
  };
}
