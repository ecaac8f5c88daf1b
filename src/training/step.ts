/** One training step: loss and gradients from one compiled graph, then the optimiser where the weights are. */
import { pullback } from '../autodiff/grad';
import { cpuVjps, type VjpTable, vjps } from '../autodiff/vjps';
import { requiredInputs } from '../onnx/encode';
import type { Graph, Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { Backend } from '../runtime/backend';
import type { WeightStore } from '../runtime/weights';
import { AppError } from '../util/errors';
import { deviceStep } from './device-step';
import { hostStep } from './host-step';
import type { StepOptions, Trainer } from './trainer';

/**
 * Compile a step that lowers `loss` by changing the weights called `names`.
 *
 * The optimiser changes weights in place, as shaders on WebGPU and over host memory on CPU backends: nothing is copied
 * in and out of the runtime for it.
 *
 * @param loss     a scalar of g; the other weights of g are frozen
 * @param weights  owns the weights called `names`, in float32
 * @throws AppError TOO_BIG when it does not fit `limits`; GRAPH when nothing trains or the loss reads none of it; as `compile`
 */
export async function compileStep(
  g: Graph,
  loss: Value,
  names: readonly string[],
  weights: WeightStore,
  options: StepOptions,
): Promise<Trainer> {
  const used = new Set(requiredInputs(g, [loss]).weights.map(({ name }) => name));
  const unused = names.filter((name) => !used.has(name));
  if (names.length === 0 || unused.length > 0) {
    const what = names.length === 0 ? 'no weight trains' : `the loss does not depend on ${unused.join(', ')}`;
    throw new AppError('GRAPH', what, { names: unused });
  }
  const trainable = names.map((name) => g.weights.get(name)!);
  const scale = reshape(g, op.scalar(g, options.lossScale ?? 1, loss.dtype), loss.shape);
  const table = gradientRules(weights.backend, names);
  const raw = pullback(g, [[loss, scale]], trainable, { table, recompute: options.recompute ?? [] });
  const graph = { g, loss, trainable, gradients: raw.map((d) => op.cast(g, d, 'float32')) };
  return weights.backend.device ? deviceStep(graph, weights, options) : hostStep(graph, weights, options);
}

/** The gradient rules that are fastest where a graph runs, when the weights called `names` change between runs. */
export function gradientRules({ device }: Backend, names: readonly string[]): VjpTable {
  const training = new Set(names);
  return device ? vjps : cpuVjps((name) => training.has(name));
}

/** Largest norm of all gradients together, as diffusers' training scripts. */
const MAX_GRAD_NORM = 1;
/** Keeps half-precision gradients out of the subnormal range. FORMATS.md 0.3 */
const HALF_LOSS_SCALE = 2 ** 12;

/** How gradients are limited and scaled when a model in this precision learns. */
export const stepPrecision = (
  dtype: 'float32' | 'float16',
): Pick<StepOptions, 'maxGradNorm' | 'lossScale'> => ({
  maxGradNorm: MAX_GRAD_NORM,
  ...(dtype === 'float16' && { lossScale: HALF_LOSS_SCALE }),
});
