import { resizeBilinear } from '../util/bilinear';
import { type NdArray, rows, zeros, zip } from '../util/nd-array';
import type { Schedule } from './schedule';
import { lookAt } from './score';
import type { WatchedPredictor } from './watch';

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

  /**
   * @param maps  probability mass that each query gives to each phrase, [K,h',w'], in [0,1]; K may grow from call to call,
   *              by phrases that were not looked for before
   */
  add(maps: NdArray): void {
    const { sum, count } = this.#state ?? { sum: zeros(maps.shape), count: 0 };
    this.#state = {
      sum: { data: maps.data.map((v, i) => v + (sum.data[i] ?? 0)), shape: maps.shape },
      count: count + 1,
    };
  }

  /** null before the first map */
  get state(): MaskState | null {
    return this.#state;
  }

  /**
   * @param powerOf  exponent on the normalised map of a phrase: 1 is the paper's soft mask, above 1 tightens it (METHOD.md A10)
   * @returns        [1,1,h,w] in [0,1], 1 where a phrase is most attended; ones before the first map
   */
  at(h: number, w: number, powerOf: (phrase: number) => number = () => 1): NdArray {
    if (!this.#state) return { data: new Float32Array(h * w).fill(1), shape: [1, 1, h, w] };
    const { sum } = this.#state;
    const masks = Array.from({ length: sum.shape[0]! }, (_, k) => {
      const { data, shape } = rows(sum, k, k + 1);
      const max = data.reduce((a, b) => Math.max(a, b), 0) || 1;
      return resizeBilinear({ data: data.map((v) => (v / max) ** powerOf(k)), shape: shape.slice(1) }, h, w);
    });
    return masks.length === 1 ? masks[0]! : zip(Math.max, ...masks);
  }
}

export interface LookInputs {
  /** picture [1,C,h,w], already × scaling factor */
  readonly latent: NdArray;
  /** states [1,L,D] of the prompt that is watched */
  readonly context: NdArray;
  /** one look at each, in [0, T) */
  readonly timesteps: readonly number[];
  readonly seed: number;
  /** looked at before every network call */
  readonly signal?: AbortSignal | undefined;
}

/** Where a picture's subject is, from looks at it in noise of the seed. @returns [1,1,h,w] as `SubjectMask.at` */
export async function lookForSubject(
  watched: WatchedPredictor,
  schedule: Schedule,
  { latent, context, timesteps, seed, signal }: LookInputs,
): Promise<NdArray> {
  const mask = new SubjectMask();
  for (const [index, t] of timesteps.entries()) {
    signal?.throwIfAborted();
    await watched.predictNoise(lookAt(schedule, latent, t, { seed, index }), t, context);
    mask.add(watched.latestMaps());
  }
  const [height, width] = latent.shape.slice(2) as [number, number];
  return mask.at(height, width);
}
