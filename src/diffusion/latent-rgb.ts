import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';

/** Weight of the pull towards grey, relative to the data: steadies channels that barely vary in what was seen. */
const ridge = 1e-3;

/**
 * A linear map from latent to colour, cheap enough to show every step of an edit: one colour per latent pixel. Fitted
 * by least squares to pictures whose latents are known; every further pair refines it.
 */
export class LatentRgb {
  readonly #channels: number;
  /** Σ f·fᵀ and Σ f·rgbᵀ over latent pixels, f = (latent channels, 1) */
  readonly #gram: Float64Array;
  readonly #moment: Float64Array;
  #count = 0;
  #weights: Float64Array;

  constructor(channels: number) {
    const n = channels + 1;
    this.#channels = channels;
    this.#gram = new Float64Array(n * n);
    this.#moment = new Float64Array(n * 3);
    this.#weights = new Float64Array(n * 3);
  }

  /**
   * Learn from a latent [1,C,h,w] and the picture [1,3,H,W] in [-1,1] that it encodes; H,W are multiples of h,w.
   * @throws AppError SHAPE
   */
  fit(latent: NdArray, picture: NdArray): void {
    const [, c, h, w] = this.#checked(latent);
    const target = areaAverage(picture, h, w);
    const plane = h * w;
    const n = c + 1;
    const features = new Float64Array(n).fill(1);
    for (let p = 0; p < plane; p++) {
      for (let i = 0; i < c; i++) features[i] = latent.data[i * plane + p]!;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) this.#gram[i * n + j]! += features[i]! * features[j]!;
        for (let k = 0; k < 3; k++) this.#moment[i * 3 + k]! += features[i]! * target[k * plane + p]!;
      }
    }
    this.#count += plane;
    this.#weights = this.#solve();
  }

  /** Colours of a latent [1,C,h,w] at its own resolution; grey before the first fit. @throws AppError SHAPE */
  apply(latent: NdArray): Pixels {
    const [, c, height, width] = this.#checked(latent);
    const plane = height * width;
    const data = new Uint8ClampedArray(plane * 4).fill(255);
    for (let p = 0; p < plane; p++) {
      for (let k = 0; k < 3; k++) {
        let value = this.#weights[c * 3 + k]!;
        for (let i = 0; i < c; i++) value += this.#weights[i * 3 + k]! * latent.data[i * plane + p]!;
        data[p * 4 + k] = (value + 1) * 127.5;
      }
    }
    return { data, width, height };
  }

  #checked(latent: NdArray): readonly [number, number, number, number] {
    const shape = latent.shape as readonly [number, number, number, number];
    if (shape.length !== 4 || shape[0] !== 1 || shape[1] !== this.#channels) {
      throw new AppError('SHAPE', `a latent is [1,${this.#channels},h,w], not [${latent.shape}]`);
    }
    return shape;
  }

  #solve(): Float64Array {
    const n = this.#channels + 1;
    const gram = this.#gram.slice();
    // in units of each channel's own energy; the constant is left free
    for (let i = 0; i < this.#channels; i++) gram[i * n + i]! += ridge * (gram[i * n + i]! + this.#count);
    return solve(gram, this.#moment.slice(), n);
  }
}

/** Mean colour of the picture under each of h × w latent pixels, [3,h,w]. */
function areaAverage(picture: NdArray, h: number, w: number): Float64Array {
  const [b, c, H, W] = picture.shape as readonly [number, number, number, number];
  if (picture.shape.length !== 4 || b !== 1 || c !== 3 || H % h !== 0 || W % w !== 0) {
    throw new AppError('SHAPE', `a picture [1,3,k·${h},k·${w}] is needed, not [${picture.shape}]`);
  }
  const [fy, fx] = [H / h, W / w];
  const out = new Float64Array(3 * h * w);
  for (let k = 0; k < 3; k++) {
    for (let y = 0; y < H; y++) {
      const row = (k * h + Math.floor(y / fy)) * w;
      for (let x = 0; x < W; x++) out[row + Math.floor(x / fx)]! += picture.data[(k * H + y) * W + x]!;
    }
  }
  return out.map((sum) => sum / (fx * fy));
}

/** Solve A·X = B for symmetric positive definite A [n,n] and B [n,3], in place, by Gauss–Jordan elimination. */
function solve(a: Float64Array, b: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) {
    const pivot = a[i * n + i]!;
    for (let j = 0; j < n; j++) a[i * n + j]! /= pivot;
    for (let k = 0; k < 3; k++) b[i * 3 + k]! /= pivot;
    for (let r = 0; r < n; r++) {
      const factor = a[r * n + i]!;
      if (r === i || factor === 0) continue;
      for (let j = 0; j < n; j++) a[r * n + j]! -= factor * a[i * n + j]!;
      for (let k = 0; k < 3; k++) b[r * 3 + k]! -= factor * b[i * 3 + k]!;
    }
  }
  return b;
}
