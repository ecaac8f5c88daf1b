/** The whole objective of a fit as one graph: (E7) with everything that one step runs, in one program. */
import type { Graph, Value } from '../onnx/graph';
import { slice } from '../onnx/movement';
import * as op from '../onnx/ops';
import { type TrainedNetworkOptions, trainedNetwork, weightedError } from '../training/denoising-loss';
import { type EdsdLossOptions, edsdLoss } from './edsd';
import type { SteerOptions } from './options';

export interface ObjectiveOptions
  extends Omit<TrainedNetworkOptions, 'batch' | 'extraPrompts'>,
    EdsdLossOptions,
    Pick<SteerOptions, RowOptions> {}

export interface Objective {
  readonly loss: Value;
  readonly metrics: Readonly<Record<string, Value>>;
}

type RowOptions = 'edsd' | 'modeShift' | 'guidedBatch' | 'references' | 'referenceBatch';

/** Rows of the network that carry gradients: EDSD's, then the guided samples, then the concept's own pictures. */
export const rowsOf = ({
  edsd,
  modeShift,
  guidedBatch,
  references,
  referenceBatch,
}: Pick<SteerOptions, RowOptions>): { edsd: 0 | 1; guided: number; references: number } => ({
  edsd: edsd > 0 ? 1 : 0,
  guided: modeShift > 0 ? guidedBatch : 0,
  references: references > 0 ? referenceBatch : 0,
});

/** Is the empty prompt among the prompts of a step (as the last)? METHOD.md A2 */
export const needsEmptyPrompt = ({
  edsd,
  edsdGuidance,
}: Pick<SteerOptions, 'edsd' | 'edsdGuidance'>): boolean => edsd > 0 && edsdGuidance !== 1;

/**
 * edsd·L_ED + λ_MS·L_MS + references·(the same loss on the concept's own pictures). The rows that carry gradients are one
 * batch: A, then the noised guided samples, then the pictures; feeds are those of `trainedNetwork`, `edsdLoss` and
 * `weightedError`, for the pictures with the prefix 'own_'.
 *
 * @returns loss, and metrics `delta2` and `gap` of EDSD, `modeShift` (L_MS) and `pictures` (on the concept's own), not weighted
 * @see METHOD.md E7
 */
export function objective(g: Graph, options: ObjectiveOptions): Objective {
  const rows = rowsOf(options);
  const batch = rows.edsd + rows.guided + rows.references;
  const network = trainedNetwork(g, {
    ...options,
    batch,
    extraPrompts: needsEmptyPrompt(options) ? 1 : 0,
  });
  const terms: Value[] = [];
  const metrics: Record<string, Value> = {};
  const add = (name: string, weight: number, term: Value): void => {
    terms.push(op.mul(g, term, op.scalar(g, weight)));
    metrics[name] = term;
  };
  const { output } = network;
  const of = (from: number, count: number): Value =>
    count === batch ? output : slice(g, output, [from], [from + count], [0]);
  if (rows.edsd > 0) {
    const score = edsdLoss(g, network, options);
    terms.push(op.mul(g, score.loss, op.scalar(g, options.edsd)));
    Object.assign(metrics, score.metrics);
  }
  if (rows.guided > 0) add('modeShift', options.modeShift, weightedError(g, of(rows.edsd, rows.guided)));
  if (rows.references > 0) {
    const own = of(rows.edsd + rows.guided, rows.references);
    add('pictures', options.references, weightedError(g, own, 'own_'));
  }
  return { loss: terms.reduce((sum, term) => op.add(g, sum, term)), metrics };
}
