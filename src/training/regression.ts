/** A two-layer regression network: small enough to follow by hand, used to test training steps. */
import { Graph, type Shape, type Value } from '../onnx/graph';
import * as op from '../onnx/ops';

export const regressionShapes: ReadonlyMap<string, Shape> = new Map([
  ['w1', [6, 5]],
  ['b1', [6]],
  ['w2', [3, 6]],
]);

/** mean((tanh(x·w1ᵀ + b1)·w2ᵀ − y)²) with feeds x [8,5] and y [8,3] */
export function regression(): { readonly g: Graph; readonly loss: Value } {
  const g = new Graph();
  const [w1, b1, w2] = [...regressionShapes].map(([name, shape]) => g.weight(name, shape));
  const hidden = op.tanh(g, op.gemm(g, g.feed('x', [8, 5]), w1!, b1, { transB: true }));
  const error = op.sub(g, op.gemm(g, hidden, w2!, undefined, { transB: true }), g.feed('y', [8, 3]));
  return { g, loss: op.reduceMean(g, op.mul(g, error, error), [0, 1], false) };
}
