import type { Optimiser } from './optimiser';

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** decoupled: each step also shrinks the weight by lr·weightDecay */
  readonly weightDecay?: number;
}

/**
 * Adam with bias correction and decoupled weight decay; defaults and order of operations of PyTorch's AdamW.
 *
 * @see Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101, alg. 2
 */
export function adamw(options: AdamWOptions = {}): Optimiser<'m' | 'v', 'decay' | 'rate' | 'correction'> {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 1e-2 } = options;
  return {
    slots: ['m', 'v'],
    scalars: ['decay', 'rate', 'correction'],
    schedule: (count, lr) => ({
      decay: 1 - lr * weightDecay,
      rate: lr / (1 - beta1 ** count),
      correction: 1 / Math.sqrt(1 - beta2 ** count),
    }),
    update(a, weight, gradient, slots, { decay, rate, correction }) {
      const c = (value: number) => a.constant(value);
      const m = a.add(a.mul(slots.m, c(beta1)), a.mul(gradient, c(1 - beta1)));
      const v = a.add(a.mul(slots.v, c(beta2)), a.mul(a.mul(gradient, gradient), c(1 - beta2)));
      const size = a.add(a.mul(a.sqrt(v), correction), c(eps));
      return { weight: a.sub(a.mul(weight, decay), a.mul(a.div(m, size), rate)), slots: { m, v } };
    },
  };
}
