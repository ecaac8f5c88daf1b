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
    host(size) {
      const [weights, gradients] = [new Float32Array(size), new Float32Array(size)];
      const velocity = momentum === 0 ? null : new Float32Array(size);
      return {
        weights,
        gradients,
        slots: velocity ? { velocity } : {},
        squares: () => gradients.reduce((sum, d) => sum + d * d, 0),
        apply(factor, { rate }) {
          for (let i = 0; i < size; i++) {
            const slope = gradients[i]! * factor + weightDecay * weights[i]!;
            const next = velocity ? momentum * velocity[i]! + slope : slope;
            if (velocity) velocity[i] = next;
            weights[i] = weights[i]! - rate! * next;
          }
        },
      };
    },
  };
}
