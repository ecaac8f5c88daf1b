import type { Pixels } from '../util/pixels';
import { resize } from './resize';

/** A picture as a mask, white = edit: grey, opaque. Drawings on nothing and on black mean the same. */
function greyMask({ data, width, height }: Pixels): Pixels {
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 4) {
    // Rec. 709 luma
    const luma = 0.2126 * data[i]! + 0.7152 * data[i + 1]! + 0.0722 * data[i + 2]!;
    const grey = (luma * data[i + 3]!) / 255;
    out.set([grey, grey, grey, 255], i);
  }
  return { data: out, width, height };
}

/** A mask for a photo: grey, and stretched to the photo's size where it has another. */
export const fitMask = (
  mask: Pixels,
  { width, height }: { readonly width: number; readonly height: number },
): ReturnType<typeof resize> => resize(greyMask(mask), width, height);
