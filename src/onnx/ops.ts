/** Arithmetic: one function per ONNX op, named as the op. Each checks shapes and appends one node. See movement.ts for ops that only move data. */
import { AppError } from '../util/errors';
import { absent, type DType, type Graph, type Shape, type Value } from './graph';
import { axisOf, broadcastShapes, expectShape, fullWindow, sameShape, type Window, windowed } from './shape';

const unary =
  (op: string) =>
  (g: Graph, x: Value): Value =>
    one(g.append(op, [x], [x]));

const binary =
  (op: string, dtype?: DType) =>
  (g: Graph, a: Value, b: Value): Value => {
    sameDtype(op, a, b);
    return one(g.append(op, [a, b], [{ shape: broadcastShapes(a.shape, b.shape), ...(dtype && { dtype }) }]));
  };

const one = (values: readonly Value[]): Value => values[0]!;

function sameDtype(op: string, ...values: readonly Value[]): void {
  if (values.some((v) => v.dtype !== values[0]!.dtype)) {
    const found = values.map((v) => `${v.name} ${v.dtype}`).join(', ');
    throw new AppError('GRAPH', `${op} needs inputs of one dtype; found ${found}`);
  }
}

export const abs = unary('Abs');
export const ceil = unary('Ceil');
export const cos = unary('Cos');
export const erf = unary('Erf');
export const exp = unary('Exp');
export const floor = unary('Floor');
export const log = unary('Log');
export const neg = unary('Neg');
export const not = unary('Not');
export const reciprocal = unary('Reciprocal');
export const relu = unary('Relu');
export const sigmoid = unary('Sigmoid');
export const sin = unary('Sin');
export const softplus = unary('Softplus');
export const sqrt = unary('Sqrt');
export const tanh = unary('Tanh');
/** A copy under a new name: what lets an input be an output too. */
export const identity = unary('Identity');

/** The same value, which gradients treat as a constant (PyTorch's detach). */
export function detach(g: Graph, x: Value): Value {
  const y = identity(g, x);
  g.detached.add(y.name);
  return y;
}

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const pow = binary('Pow');
export const max = binary('Max');
export const min = binary('Min');
export const and = binary('And');
export const equal = binary('Equal', 'bool');
export const greater = binary('Greater', 'bool');
export const greaterOrEqual = binary('GreaterOrEqual', 'bool');
export const less = binary('Less', 'bool');
export const lessOrEqual = binary('LessOrEqual', 'bool');

/** A scalar constant that broadcasts with anything of that dtype. */
export const scalar = (g: Graph, value: number, dtype: DType = 'float32'): Value =>
  dtype === 'float16' ? cast(g, g.constant([value], []), 'float16') : g.constant([value], [], dtype);

/** x itself when it already has that dtype. */
export const cast = (g: Graph, x: Value, dtype: DType): Value =>
  x.dtype === dtype
    ? x
    : one(g.append('Cast', [x], [{ shape: x.shape, dtype }], { to: ELEMENT_TYPE[dtype] }));

/** onnx.TensorProto.DataType */
export const ELEMENT_TYPE: Readonly<Record<DType, number>> = { float32: 1, int64: 7, bool: 9, float16: 10 };

/** condition ? a : b, elementwise with broadcasting; condition is bool. */
export function where(g: Graph, condition: Value, a: Value, b: Value): Value {
  sameDtype('Where', a, b);
  const shape = broadcastShapes(condition.shape, a.shape, b.shape);
  return one(g.append('Where', [condition, a, b], [{ shape, dtype: a.dtype }]));
}

/** Limit x to [low, high]; either bound may be undefined. */
export function clip(g: Graph, x: Value, low?: number, high?: number): Value {
  const bounds = [low, high].map((v) => (v === undefined ? absent : scalar(g, v, x.dtype)));
  return one(g.append('Clip', [x, ...bounds], [x]));
}

export const softmax = (g: Graph, x: Value, axis = -1): Value =>
  one(g.append('Softmax', [x], [x], { axis: axisOf(axis, x.shape.length) }));

/** Exact (erf) or tanh-approximated Gaussian error linear unit. */
export const gelu = (g: Graph, x: Value, approximate: 'none' | 'tanh' = 'none'): Value =>
  one(g.append('Gelu', [x], [x], { approximate }));

/** x·σ(alpha·x); an op of ORT's own domain. */
export const quickGelu = (g: Graph, x: Value, alpha: number): Value =>
  one(g.append('QuickGelu', [x], [x], { alpha: { float: alpha } }, 'com.microsoft'));

const reduction =
  (op: string) =>
  (g: Graph, x: Value, axes: readonly number[], keepdims = true): Value => {
    const at = axes.map((a) => axisOf(a, x.shape.length));
    const shape = x.shape.flatMap((d, i) => (at.includes(i) ? (keepdims ? [1] : []) : [d]));
    const axesValue = g.constant(at, [at.length], 'int64');
    return one(g.append(op, [x, axesValue], [{ shape }], { keepdims: keepdims ? 1 : 0 }));
  };

export const reduceL2 = reduction('ReduceL2');
export const reduceMax = reduction('ReduceMax');
export const reduceMean = reduction('ReduceMean');
export const reduceMin = reduction('ReduceMin');
export const reduceProd = reduction('ReduceProd');
export const reduceSum = reduction('ReduceSum');
export const reduceSumSquare = reduction('ReduceSumSquare');

/** Index of the largest entry along an axis, int64. */
export function argMax(g: Graph, x: Value, axis: number, keepdims = true): Value {
  const at = axisOf(axis, x.shape.length);
  const shape = x.shape.flatMap((d, i) => (i === at ? (keepdims ? [1] : []) : [d]));
  return one(g.append('ArgMax', [x], [{ shape, dtype: 'int64' }], { axis: at, keepdims: keepdims ? 1 : 0 }));
}

/** Batched matrix product [...,m,k] × [...,k,n] → [...,m,n]; batch axes broadcast. */
export function matMul(g: Graph, a: Value, b: Value): Value {
  sameDtype('MatMul', a, b);
  const fits = a.shape.length > 1 && b.shape.length > 1 && a.shape.at(-1) === b.shape.at(-2);
  expectShape(fits, 'MatMul', 'inner sizes differ', a, b);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return one(g.append('MatMul', [a, b], [{ shape: [...batch, a.shape.at(-2)!, b.shape.at(-1)!] }]));
}

export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
}

/** alpha·A'·B' + beta·C of matrices, C broadcast to the result. */
export function gemm(g: Graph, a: Value, b: Value, c?: Value, options: GemmOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1, beta = 1 } = options;
  sameDtype('Gemm', a, b, ...(c ? [c] : []));
  const matrices = a.shape.length === 2 && b.shape.length === 2;
  const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [k2, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  expectShape(matrices && k === k2, 'Gemm', 'inner sizes differ', a, b);
  const shape = [m!, n!];
  if (c) expectShape(sameShape(broadcastShapes(c.shape, shape), shape), 'Gemm', `C must fit [${shape}]`, c);
  return one(
    g.append('Gemm', c ? [a, b, c] : [a, b], [{ shape }], {
      transA: transA ? 1 : 0,
      transB: transB ? 1 : 0,
      alpha: { float: alpha },
      beta: { float: beta },
    }),
  );
}

export interface ConvOptions extends Window {
  readonly group?: number;
}

/** Cross-correlation of x [B,C,...] with w [O,C/group,...], plus bias [O]. */
export function conv(g: Graph, x: Value, w: Value, b?: Value, options: ConvOptions = {}): Value {
  const { group = 1, ...window } = options;
  sameDtype('Conv', x, w, ...(b ? [b] : []));
  const fits = x.shape.length === w.shape.length && x.shape[1] === w.shape[1]! * group;
  expectShape(fits, 'Conv', 'input channels differ from the kernel', x, w);
  const spatial = windowed(x.shape.slice(2), w.shape.slice(2), window);
  return one(
    g.append('Conv', b ? [x, w, b] : [x, w], [{ shape: [x.shape[0]!, w.shape[0]!, ...spatial] }], {
      kernel_shape: w.shape.slice(2),
      ...fullWindow(spatial.length, window),
      group,
    }),
  );
}

export interface ConvTransposeOptions extends ConvOptions {
  readonly outputPadding?: readonly number[];
}

/** Transposed convolution of x [B,C,...] with w [C,O/group,...]: the gradient of `conv` with respect to its input. */
export function convTranspose(
  g: Graph,
  x: Value,
  w: Value,
  b?: Value,
  options: ConvTransposeOptions = {},
): Value {
  const { group = 1, outputPadding, ...window } = options;
  sameDtype('ConvTranspose', x, w, ...(b ? [b] : []));
  const fits = x.shape.length === w.shape.length && x.shape[1] === w.shape[0];
  expectShape(fits, 'ConvTranspose', 'input channels differ from the kernel', x, w);
  const rank = x.shape.length - 2;
  const { strides, pads, dilations } = fullWindow(rank, window);
  const extra = outputPadding ?? Array<number>(rank).fill(0);
  const spatial = x.shape.slice(2).map((d, i) => {
    const kernel = dilations[i]! * (w.shape[2 + i]! - 1) + 1;
    return (d - 1) * strides[i]! - pads[i]! - pads[rank + i]! + kernel + extra[i]!;
  });
  const shape = [x.shape[0]!, w.shape[1]! * group, ...spatial];
  return one(
    g.append('ConvTranspose', b ? [x, w, b] : [x, w], [{ shape }], {
      kernel_shape: w.shape.slice(2),
      strides,
      pads,
      dilations,
      output_padding: extra,
      group,
    }),
  );
}

const pool =
  (op: string) =>
  (g: Graph, x: Value, kernel: Shape, window: Omit<Window, 'dilations'> = {}): Value => {
    const spatial = windowed(x.shape.slice(2), kernel, window);
    const { strides, pads } = fullWindow(kernel.length, window);
    const shape = [...x.shape.slice(0, 2), ...spatial];
    return one(g.append(op, [x], [{ shape }], { kernel_shape: kernel, strides, pads }));
  };

export const maxPool = pool('MaxPool');
/** Padding does not count towards the average. */
export const averagePool = pool('AveragePool');

export const globalAveragePool = (g: Graph, x: Value): Value =>
  one(g.append('GlobalAveragePool', [x], [{ shape: x.shape.map((d, i) => (i < 2 ? d : 1)) }]));

/** Normalise each [b,c] plane of x [B,C,...] to zero mean and unit variance, then scale and shift per channel [C]. */
export function instanceNormalization(g: Graph, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  const fits = sameShape(scale.shape, [x.shape[1]!]) && sameShape(bias.shape, scale.shape);
  expectShape(fits, 'InstanceNormalization', 'scale and bias must be [C]', x, scale, bias);
  return one(g.append('InstanceNormalization', [x, scale, bias], [x], { epsilon: { float: epsilon } }));
}

/**
 * Normalise over the axes from `axis` on, then scale and shift (both of those axes' shape).
 *
 * @returns [y, mean, 1/σ]; the statistics keep the normalised axes with size 1 and cost nothing when unused
 */
export function layerNormalization(
  g: Graph,
  x: Value,
  scale: Value,
  bias: Value | undefined,
  epsilon: number,
  axis = -1,
): readonly [Value, Value, Value] {
  const at = axisOf(axis, x.shape.length);
  expectShape(
    sameShape(scale.shape, x.shape.slice(at)),
    'LayerNormalization',
    'scale does not fit',
    x,
    scale,
  );
  const stats = x.shape.map((d, i) => (i < at ? d : 1));
  const [y, mean, invStd] = g.append(
    'LayerNormalization',
    bias ? [x, scale, bias] : [x, scale],
    [{ shape: x.shape }, { shape: stats, dtype: 'float32' }, { shape: stats, dtype: 'float32' }],
    { axis: at, epsilon: { float: epsilon } },
  );
  return [y!, mean!, invStd!];
}
