import { type NdArray, ndArray } from '../util/nd-array';

/**
 * Mean of cross-attention maps of the subject word, accumulated over network calls, as the soft subject mask of
 * DDS-SM: M = upsample(Ā / max Ā) (METHOD.md 3.6, E10). The mean runs over every map added so far.
 */
export class SubjectMask {
  #sum: Float32Array | null = null;
  #shape: readonly [number, number] = [0, 0];
  #count = 0;

  /** @param map  probability mass that each query gives to the subject, [h', w'], in [0,1] */
  add(map: NdArray): void {
    const [h, w] = map.shape.slice(-2) as [number, number];
    this.#sum ??= new Float32Array(h * w);
    this.#shape = [h, w];
    for (let i = 0; i < this.#sum.length; i++) this.#sum[i]! += map.data[i]!;
    this.#count++;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /**
   * @param power  exponent on the normalised map: 1 is the paper's soft mask, above 1 tightens it (METHOD.md A10)
   * @returns      [1,1,h,w] in [0,1], 1 where the subject is most attended
   */
  at(h: number, w: number, power = 1): NdArray {
    const sum = this.#sum ?? new Float32Array([1]);
    const max = sum.reduce((a, b) => Math.max(a, b), 0) || 1;
    const normalised = ndArray(
      sum.map((v) => (v / max) ** power),
      this.#sum ? this.#shape : [1, 1],
    );
    return resizeBilinear(normalised, h, w);
  }
}

/** Bilinear resize of a map [h,w] (half-pixel centres, edges held) → [1,1,H,W]. */
export function resizeBilinear(map: NdArray, height: number, width: number): NdArray {
  const [h, w] = map.shape as [number, number];
  const out = new Float32Array(height * width);
  const axis = (i: number, from: number, to: number): [number, number, number] => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  };
  for (let y = 0; y < height; y++) {
    const [y0, y1, fy] = axis(y, h, height);
    for (let x = 0; x < width; x++) {
      const [x0, x1, fx] = axis(x, w, width);
      const top = map.data[y0 * w + x0]! * (1 - fx) + map.data[y0 * w + x1]! * fx;
      const bottom = map.data[y1 * w + x0]! * (1 - fx) + map.data[y1 * w + x1]! * fx;
      out[y * width + x] = top * (1 - fy) + bottom * fy;
    }
  }
  return { data: out, shape: [1, 1, height, width] };
}
