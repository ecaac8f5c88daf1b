import type { Optimiser } from './optimiser';

export interface SgdOptions {
  /** 0 (default): plain gradient descent */
  readonly momentum?: number;
  /** added to the gradient as weightDecay·w. Default 0 */
  readonly weightDecay?: number;
}

/** Gradient descent, with momentum and L2 weight decay as PyTorch's SGD (no dampening, not Nesterov). */
export function sgd({ momentum = 0, weightDecay = 0 }: SgdOptions = {}): Optimiser<'velocity', 'rate'> {
  return {
    slots: momentum === 0 ? [] : ['velocity'],
    scalars: ['rate'],
    schedule: (_, lr) => ({ rate: lr }),
    update(a, weight, gradient, { velocity }, { rate }) {
      const slope = weightDecay === 0 ? gradient : a.add(gradient, a.mul(weight, a.constant(weightDecay)));
      if (momentum === 0) return { weight: a.sub(weight, a.mul(slope, rate)), slots: { velocity } };
      const next = a.add(a.mul(velocity, a.constant(momentum)), slope);
      return { weight: a.sub(weight, a.mul(next, rate)), slots: { velocity: next } };
    },
  };
}
