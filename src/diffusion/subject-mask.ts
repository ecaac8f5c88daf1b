import { resizeBilinear } from '../util/bilinear';
import { type NdArray, rows, zeros, zip } from '../util/nd-array';

/** Sums of attention maps and how many went into them: enough to go on from. */
export interface MaskState {
  /** [K,h',w'], one plane per phrase */
  readonly sum: NdArray;
  readonly count: number;
}

/**
 * Mean of the subject's cross-attention maps, accumulated over network calls, as the soft subject mask of DDS-SM:
 * M = upsample(Ā / max Ā) (METHOD.md 3.6, E10). The mean runs over every map added so far. A subject of several phrases
 * has a map for each, of which the mask is the largest.
 */
export class SubjectMask {
  #state: MaskState | null;

  /** @param state  maps of earlier calls to go on from */
  constructor(state: MaskState | null = null) {
    this.#state = state;
  }

  /** @param maps  probability mass that each query gives to each phrase, [K,h',w'], in [0,1] */
  add(maps: NdArray): void {
    const { sum, count } = this.#state ?? { sum: zeros(maps.shape), count: 0 };
    this.#state = {
      sum: { data: sum.data.map((v, i) => v + maps.data[i]!), shape: maps.shape },
      count: count + 1,
    };
  }

  /** null before the first map */
  get state(): MaskState | null {
    return this.#state;
  }

  /**
   * @param power  exponent on the normalised maps: 1 is the paper's soft mask, above 1 tightens it (METHOD.md A10)
   * @returns      [1,1,h,w] in [0,1], 1 where a phrase is most attended; ones before the first map
   */
  at(h: number, w: number, power = 1): NdArray {
    if (!this.#state) return { data: new Float32Array(h * w).fill(1), shape: [1, 1, h, w] };
    const { sum } = this.#state;
    const masks = Array.from({ length: sum.shape[0]! }, (_, k) => {
      const { data, shape } = rows(sum, k, k + 1);
      const max = data.reduce((a, b) => Math.max(a, b), 0) || 1;
      return resizeBilinear({ data: data.map((v) => (v / max) ** power), shape: shape.slice(1) }, h, w);
    });
    return masks.length === 1 ? masks[0]! : zip(Math.max, ...masks);
  }
}
