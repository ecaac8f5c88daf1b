import type { Recompute } from '../autodiff/remat';
import type { Graph, Value } from '../onnx/graph';
import type { RunEstimate } from '../runtime/memory';
import type { Arrays } from '../runtime/session';
import type { NdArray } from '../util/nd-array';
import type { Optimiser } from './optimiser';

export interface StepOptions {
  readonly optimiser: Optimiser;
  /** largest allowed norm of all gradients together; default none */
  readonly maxGradNorm?: number;
  /** the loss is multiplied by this before and gradients divided by it after (float16); default 1 */
  readonly lossScale?: number;
  readonly recompute?: Recompute;
  /** bytes that the step may take in all and in one tensor; default any */
  readonly limits?: { readonly total?: number; readonly tensor?: number };
  /** scalars of the graph that each step reports beside the loss */
  readonly metrics?: Readonly<Record<string, Value>>;
  readonly label?: string;
}

export interface StepResult {
  readonly loss: number;
  /** of all gradients together, before clipping */
  readonly gradNorm: number;
  /** false when a gradient was not finite: weights and moments are as before */
  readonly applied: boolean;
  /** those asked for */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Weights and optimiser state between two steps; what a checkpoint holds. */
export interface TrainerState {
  /** steps applied */
  readonly count: number;
  readonly weights: ReadonlyMap<string, NdArray>;
  /** slot → weight name → tensor */
  readonly slots: Readonly<Record<string, ReadonlyMap<string, NdArray>>>;
}

/** A compiled training step and what it changes. */
export interface Trainer {
  readonly names: readonly string[];
  /** what a step was predicted to take, weights and moments included */
  readonly memory: RunEstimate;
  /** @param lr  learning rate   @throws AppError as Program.run */
  step(feeds: Arrays, lr: number): Promise<StepResult>;
  /** A copy. */
  state(): Promise<TrainerState>;
  /** Continue from a state: the next steps are those that would have followed it. @throws AppError SHAPE */
  restore(state: TrainerState): Promise<void>;
  dispose(): Promise<void>;
}

/** What both ways to run a step start from. */
export interface StepGraph {
  readonly g: Graph;
  readonly loss: Value;
  readonly trainable: readonly Value[];
  /** d(lossScale·loss) / d weight, float32 */
  readonly gradients: readonly Value[];
}

/** Factor that divides by the loss scale and limits the norm; PyTorch's clip_grad_norm_ adds the same 1e-6. */
export const gradientFactor = (norm: number, { maxGradNorm, lossScale = 1 }: StepOptions): number =>
  (maxGradNorm === undefined ? 1 : Math.min(1, maxGradNorm / (norm + 1e-6))) / lossScale;

/** The part of a step's result that holds the metrics asked for. */
export const reported = (
  metrics: NonNullable<StepOptions['metrics']>,
  value: (name: string) => number,
): Pick<StepResult, 'metrics'> => {
  const names = Object.keys(metrics);
  return names.length > 0 ? { metrics: Object.fromEntries(names.map((name) => [name, value(name)])) } : {};
};
