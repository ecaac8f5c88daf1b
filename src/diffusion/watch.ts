import { AppError } from '../util/errors';
import { type NdArray, rows, stack, zeros } from '../util/nd-array';
import type { Denoiser } from './denoiser';
import { noisePredictor, type PredictNoise } from './guidance';
import type { ModelParts } from './model';

export interface WatchedPredictor {
  readonly predictNoise: PredictNoise;
  /** maps [K,h',w'] of the latest evaluation, of its last row (in guidance: the conditional one), one per phrase found */
  latestMaps(): NdArray;
}

/**
 * ε̂ that also watches where phrases of the prompt are attended to.
 *
 * @returns null when the prompt contains none of them
 * @throws AppError GRAPH when maps are asked for before the first evaluation
 */
export function watchPhrases(
  denoiser: Denoiser,
  { tokenizer, schedule }: Pick<ModelParts, 'tokenizer' | 'schedule'>,
  prompt: string,
  phrases: readonly string[],
): WatchedPredictor | null {
  const found = phrases
    .map((phrase) => tokenizer.tokenPositions(prompt, phrase))
    .filter((positions) => positions.length > 0);
  if (found.length === 0) return null;
  const tokenWeights = zeros([1, tokenizer.modelMaxLength, found.length]);
  for (const [k, positions] of found.entries()) {
    for (const at of positions) tokenWeights.data[at * found.length + k] = 1 / positions.length;
  }
  let latest: NdArray | null = null;
  const network = async (x: NdArray, t: number, context: NdArray): Promise<NdArray> => {
    const weights = stack(Array(x.shape[0]!).fill(tokenWeights));
    const { output, attention } = await denoiser.predict(x, t, context, weights);
    const last = rows(attention, attention.shape[0]! - 1, attention.shape[0]!);
    latest = { data: last.data, shape: last.shape.slice(1) };
    return output;
  };
  return {
    predictNoise: noisePredictor(Object.assign(network, { batched: denoiser.maxBatch >= 2 }), schedule),
    latestMaps() {
      if (!latest) throw new AppError('GRAPH', 'no attention map before the first evaluation');
      return latest;
    },
  };
}
