import type { MaskState } from '../diffusion/subject-mask';
import type { NdArray } from '../util/nd-array';
import type { EmptyPrompt } from './methods';

/** One step of any edit, as soon as it is done. */
export interface EditStep {
  /** 0-based */
  readonly index: number;
  readonly total: number;
  readonly timestep: number;
  /** edited latent after the step [1,C,h,w]; while a sampler still runs, its estimate of the clean latent */
  readonly latent: NdArray;
  /** mask in use [1,1,h,w]; null = everywhere */
  readonly mask: NdArray | null;
  /**
   * What moved the latent, after the mask, [1,C,h,w], in units of predicted noise: a score edit's difference of branches,
   * a sampler's difference between its two. Decoded, it is the picture of METHOD.md 3.7 (zero is the decoder's neutral).
   */
  readonly direction: NdArray;
  /** root mean square of `direction` */
  readonly directionRms: number;
  /** what the automatic mask has seen so far; null without one */
  readonly maps: MaskState | null;
}

/** Whose empty prompt the target is guided from. @param learned  what 'auto' stands for: what suits how the concept was learned */
export const emptyPromptOf = (option: EmptyPrompt | 'auto', learned: EmptyPrompt = 'own'): EmptyPrompt =>
  option === 'auto' ? learned : option;

const HALTED = Symbol('halted');

/** The same network, which ends `untilHalted` instead of starting a call once that is asked for. */
export function haltable<Args extends unknown[], Result>(
  network: ((...args: Args) => Promise<Result>) & { readonly batched?: boolean },
  halted: () => boolean,
): ((...args: Args) => Promise<Result>) & { readonly batched: boolean } {
  const guarded = async (...args: Args): Promise<Result> => {
    if (halted()) throw HALTED;
    return network(...args);
  };
  return Object.assign(guarded, { batched: network.batched ?? false });
}

/** The steps of a generator that calls `haltable` networks, until one refuses. */
export async function* untilHalted<Step>(
  steps: () => AsyncGenerator<Step, void>,
): AsyncGenerator<Step, void> {
  try {
    yield* steps();
  } catch (error) {
    if (error !== HALTED) throw error;
  }
}

export const rms = ({ data }: NdArray): number =>
  Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
