/** Rules of reductions, Softmax and the normalisations. */
import type { Graph, Value } from '../onnx/graph';
import { expand, reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { float, int, type Vjp } from './vjp';

/** Gradient of a reduction from x, y and dy, both given with the reduced axes kept as size 1. */
const reduction =
  (rule: (a: { g: Graph; x: Value; y: Value; dy: Value }) => Value): Vjp =>
  ({ g, x: [x, axes], y, dy }) => {
    const at = [...(g.constants.get(axes!.name)!.data as BigInt64Array)].map(Number);
    const kept = x!.shape.map((d, i) => (at.includes(i) ? 1 : d));
    return [rule({ g, x: x!, y: reshape(g, y, kept), dy: reshape(g, dy, kept) }), null];
  };

/** To the largest (smallest) entries, in equal parts where several tie. */
const extreme = reduction(({ g, x, y, dy }) => {
  const chosen = op.cast(g, op.equal(g, x, expand(g, y, x.shape)), x.dtype);
  const axes = y.shape.flatMap((d, i) => (d === x.shape[i] ? [] : [i]));
  return op.mul(g, chosen, op.div(g, dy, axes.length ? op.reduceSum(g, chosen, axes) : chosen));
});

export const reductions = {
  ReduceSum: reduction(({ g, x, dy }) => expand(g, dy, x.shape)),
  ReduceMean: reduction(({ g, x, dy }) => {
    const share = op.scalar(g, sizeOf(dy.shape) / sizeOf(x.shape), dy.dtype);
    return expand(g, op.mul(g, dy, share), x.shape);
  }),
  // dy·x/y
  ReduceL2: reduction(({ g, x, y, dy }) => op.mul(g, x, op.div(g, dy, y))),
  // 2x·dy
  ReduceSumSquare: reduction(({ g, x, dy }) => op.mul(g, x, op.add(g, dy, dy))),
  // dy·y/x (x ≠ 0)
  ReduceProd: reduction(({ g, x, y, dy }) => op.div(g, op.mul(g, dy, y), x)),
  ReduceMax: extreme,
  ReduceMin: extreme,

  // y(dy − Σ y·dy)
  Softmax: ({ g, y, dy, attrs }) => {
    const weighted = op.mul(g, y, dy);
    return [op.sub(g, weighted, op.mul(g, y, op.reduceSum(g, weighted, [int(attrs, 'axis')])))];
  },

  // x̂ = (x − μ)/σ;  dγ = Σ dy·x̂,  dβ = Σ dy,  dx as in `normalizationInput` with dx̂ = dy·γ
  LayerNormalization: ({ g, x: [x, scale, ...bias], y, ys: [, mean, invStd], dys, dy, attrs }) => {
    if (dys[1] || dys[2])
      throw new AppError('GRAPH', 'no gradient rule for the statistics of LayerNormalization');
    // without scale and shift (group norm applies its own, per channel) the output already is x̂
    const plain = bias.length === 0 && isOne(g, scale!);
    const normed = plain ? y : op.mul(g, op.sub(g, x!, mean!), invStd!);
    const rank = x!.shape.length;
    const axes = Array.from({ length: rank - int(attrs, 'axis') }, (_, i) => int(attrs, 'axis') + i);
    const dNormed = plain ? dy : op.mul(g, dy, scale!);
    return [
      normalizationInput(g, normed, invStd!, dNormed, axes),
      op.mul(g, dy, normed),
      ...bias.map(() => dy),
    ];
  },

  // the same over each [b,c] plane, with γ and β per channel
  InstanceNormalization: ({ g, x: [x, scale, bias], dy, attrs }) => {
    const [b, c, ...spatial] = x!.shape;
    const flat = [b!, c!, sizeOf(spatial)];
    const ones = g.constant(new Float32Array(flat[2]!).fill(1), [flat[2]!]);
    const [normed, , invStd] = op.layerNormalization(
      g,
      reshape(g, x!, flat),
      op.cast(g, ones, x!.dtype),
      undefined,
      float(attrs, 'epsilon'),
    );
    const cotangent = reshape(g, dy, flat);
    const dNormed = op.mul(g, cotangent, reshape(g, scale!, [c!, 1]));
    const dx = normalizationInput(g, normed, invStd, dNormed, [2]);
    return [
      reshape(g, dx, x!.shape),
      reshape(g, op.reduceSum(g, op.mul(g, cotangent, normed), [0, 2]), scale!.shape),
      reshape(g, op.reduceSum(g, cotangent, [0, 2]), bias!.shape),
    ];
  },
} as const satisfies Record<string, Vjp>;

/** A constant one, or one repeated. */
function isOne(g: Graph, v: Value): boolean {
  const source = g.nodes.find((node) => node.outputs[0] === v);
  const { data } = g.constants.get((source?.op === 'Expand' ? source.inputs[0]! : v).name) ?? {};
  return data instanceof Float32Array && data.every((one) => one === 1);
}

/** dx = (dx̂ − mean dx̂ − x̂·mean(dx̂·x̂))/σ, means over the normalised axes. */
function normalizationInput(
  g: Graph,
  normed: Value,
  invStd: Value,
  dNormed: Value,
  axes: readonly number[],
): Value {
  const slope = op.reduceMean(g, op.mul(g, dNormed, normed), axes);
  const centred = op.sub(g, dNormed, op.reduceMean(g, dNormed, axes));
  return op.mul(g, op.sub(g, centred, op.mul(g, normed, slope)), invStd);
}
