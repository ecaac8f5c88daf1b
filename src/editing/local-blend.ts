import { axpby, type NdArray, rows, zeros } from '../util/nd-array';

export interface LocalBlendOptions {
  /** of the normalised map, in [0,1] */
  readonly threshold: number;
  /** whose words say where the edit is: both prompts' (their union), or the source's alone (Custom-Edit) */
  readonly from: 'both' | 'source';
}

/**
 * Prompt-to-Prompt's mask: attention to the blend words, summed over steps, 3×3 maximum, enlarged, divided by its
 * maximum, thresholded.
 *
 * @see Hertz et al. 2022, arXiv:2208.01626, "local editing"; METHOD.md 7.8
 */
export class LocalBlend {
  readonly #options: LocalBlendOptions;
  /** [2,1,h',w'] */
  #sum: NdArray | null = null;

  constructor(options: LocalBlendOptions) {
    this.#options = options;
  }

  /** @param maps  of source and target [2,1,h',w'] */
  add(maps: NdArray): void {
    this.#sum = axpby(1, this.#sum ?? zeros(maps.shape), 1, maps);
  }

  /** [1,1,h,w] of zeros and ones, 1 where the edit may show. Ones before the first map. */
  mask(h: number, w: number): NdArray {
    const data = new Float32Array(h * w);
    const { from, threshold } = this.#options;
    const [height, width] = (this.#sum?.shape.slice(-2) ?? [1, 1]) as [number, number];
    for (let row = 0; row < (from === 'both' ? 2 : 1); row++) {
      const map = this.#sum ? rows(this.#sum, row, row + 1).data : Float32Array.of(1);
      const pooled = maxPool3(map, height, width);
      const max = pooled.reduce((a, b) => Math.max(a, b), 0);
      for (let i = 0; i < data.length; i++) {
        const [y, x] = [Math.floor((Math.floor(i / w) * height) / h), Math.floor(((i % w) * width) / w)];
        if (pooled[y * width + x]! > threshold * max) data[i] = 1;
      }
    }
    return { data, shape: [1, 1, h, w] };
  }
}

function maxPool3(map: Float32Array, h: number, w: number): Float32Array {
  return map.map((_, i) => {
    const [y, x] = [Math.floor(i / w), i % w];
    let max = Number.NEGATIVE_INFINITY;
    for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, h - 1); v++) {
      for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, w - 1); u++) max = Math.max(max, map[v * w + u]!);
    }
    return max;
  });
}
