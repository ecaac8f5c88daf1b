import * as op from '../onnx/ops';
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
    append(g, weight, gradient, { velocity }, { rate }) {
      const times = (factor: number, v: typeof weight) => op.mul(g, v, op.scalar(g, factor));
      const slope = weightDecay === 0 ? gradient : op.add(g, gradient, times(weightDecay, weight));
      const next = velocity ? op.add(g, times(momentum, velocity), slope) : slope;
      return {
        weight: op.sub(g, weight, op.mul(g, next, rate!)),
        slots: velocity ? { velocity: next } : {},
      };
    },
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
