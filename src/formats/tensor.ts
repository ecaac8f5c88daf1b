import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';

/**
 * A picture as the networks see it. Transparent parts are laid over white.
 *
 * @returns float32 [1,3,H,W] in [-1,1]
 */
export function toTensor({ data, width, height }: Pixels): NdArray {
  const plane = width * height;
  const out = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    const alpha = data[4 * i + 3]! / 255;
    for (let c = 0; c < 3; c++) {
      const value = data[4 * i + c]! * alpha + 255 * (1 - alpha);
      out[c * plane + i] = value / 127.5 - 1;
    }
  }
  return { data: out, shape: [1, 3, height, width] };
}

/** The inverse of `toTensor`: [1,3,H,W], clipped to [-1,1] and rounded, opaque. @throws AppError SHAPE */
export function fromTensor({ data, shape }: NdArray): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  const [n, channels, height, width] = shape;
  if (shape.length !== 4 || n !== 1 || channels !== 3) {
    throw new AppError('SHAPE', `a picture is [1,3,H,W], not [${shape}]`, { shape });
  }
  const plane = width! * height!;
  // Clamped arrays round to nearest and clip.
  const out = new Uint8ClampedArray(4 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) out[4 * i + c] = (data[c * plane + i]! + 1) * 127.5;
    out[4 * i + 3] = 255;
  }
  return { data: out, width: width!, height: height! };
}

/** A grey picture (white = edit) as a soft mask. @returns float32 [1,1,H,W] in [0,1] */
export function toMask({ data, width, height }: Pixels): NdArray {
  const out = new Float32Array(width * height);
  for (let i = 0; i < out.length; i++) out[i] = data[4 * i]! / 255;
  return { data: out, shape: [1, 1, height, width] };
}

/** The inverse of `toMask`: [1,1,H,W] in [0,1] as an opaque grey picture. @throws AppError SHAPE */
export function fromMask({ data, shape }: NdArray): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  const [n, channels, height, width] = shape;
  if (shape.length !== 4 || n !== 1 || channels !== 1) {
    throw new AppError('SHAPE', `a mask is [1,1,H,W], not [${shape}]`, { shape });
  }
  const out = new Uint8ClampedArray(4 * data.length);
  for (let i = 0; i < data.length; i++) {
    const grey = data[i]! * 255;
    out.set([grey, grey, grey, 255], 4 * i);
  }
  return { data: out, width: width!, height: height! };
}
