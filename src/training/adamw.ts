import { adamwMemory } from './adamw-kernel';
import type { Optimiser } from './optimiser';

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** decoupled: each step also shrinks the weight by lr·weightDecay */
  readonly weightDecay?: number;
}

/**
 * Adam with bias correction and decoupled weight decay; defaults of PyTorch's AdamW.
 *
 * m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  w ← decay·w − rate·m / (√v·correction + ε)
 *
 * @see Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101, alg. 2
 */
export function adamw(options: AdamWOptions = {}): Optimiser {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 1e-2 } = options;
  return {
    slots: ['m', 'v'],
    scalars: ['decay', 'rate', 'correction'],
    schedule: (count, lr) => ({
      decay: 1 - lr * weightDecay,
      rate: lr / (1 - beta1 ** count),
      correction: 1 / Math.sqrt(1 - beta2 ** count),
    }),
    wgsl: `
      m = ${beta1} * m + ${1 - beta1} * gradient;
      v = ${beta2} * v + ${1 - beta2} * gradient * gradient;
      weight = decay * weight - rate * m / (sqrt(v) * correction + ${eps});`,
    host: (size) => adamwMemory({ beta1, beta2, eps }, size),
  };
}
