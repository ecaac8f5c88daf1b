import type { Optimiser } from './optimiser';

export interface SgdOptions {
  /** 0 (default): plain gradient descent */
  readonly momentum?: number;
  /** added to the gradient as weightDecay·w. Default 0 */
  readonly weightDecay?: number;
}

/** Gradient descent, with momentum and L2 weight decay as PyTorch's SGD (no dampening, not Nesterov). */
export function sgd({ momentum = 0, weightDecay = 0 }: SgdOptions = {}): Optimiser {
  return {
    slots: momentum === 0 ? [] : ['velocity'],
    scalars: ['rate'],
    schedule: (_, lr) => ({ rate: lr }),
    wgsl: `
      let slope = gradient + ${weightDecay} * weight;
      ${momentum === 0 ? 'let next = slope;' : `velocity = ${momentum} * velocity + slope; let next = velocity;`}
      weight -= rate * next;`,
    apply(weight, gradient, factor, { velocity }, { rate }) {
      for (let i = 0; i < weight.length; i++) {
        const slope = gradient[i]! * factor + weightDecay * weight[i]!;
        const next = velocity ? momentum * velocity[i]! + slope : slope;
        if (velocity) velocity[i] = next;
        weight[i] = weight[i]! - rate! * next;
      }
    },
  };
}
