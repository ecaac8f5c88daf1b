/** What gradcheck runs: for every rule of vjps.ts at least one function that contains its op. */
import { attention, geglu, groupNorm, quickGelu, silu } from '../onnx/composites';
import type { Graph, Value } from '../onnx/graph';
import * as move from '../onnx/movement';
import * as op from '../onnx/ops';
import type { GradCase } from './gradcheck';

const unary = (f: (g: Graph, x: Value) => Value, positive = false): GradCase => ({
  shapes: [[3, 5]],
  f: (g, x) => f(g, x!),
  positive,
});
const binary = (f: (g: Graph, a: Value, b: Value) => Value, positive = false): GradCase => ({
  shapes: [
    [2, 3, 4],
    [3, 1],
  ],
  f: (g, a, b) => f(g, a!, b!),
  positive,
});
const image = (f: (g: Graph, x: Value) => Value, size = 4): GradCase => ({
  shapes: [[2, 3, size, size]],
  f: (g, x) => f(g, x!),
});
const convolution = (x: readonly number[], w: readonly number[], options: op.ConvOptions): GradCase => ({
  shapes: [x, w, [w[0]!]],
  f: (g, x, w, b) => op.conv(g, x!, w!, b, options),
});
const gemm = (transA: boolean, transB: boolean): GradCase => ({
  shapes: [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], [5]],
  f: (g, a, b, c) => op.gemm(g, a!, b!, c, { transA, transB, alpha: 0.7, beta: 1.5 }),
});
const indices = (g: Graph, values: readonly number[], shape: readonly number[]): Value =>
  g.constant(values, shape, 'int64');
const ONE_ONE = { pads: [1, 1, 1, 1] };
const BY_TWO = { ...ONE_ONE, strides: [2, 2] };

/** op name → cases that contain it */
export const cases: Readonly<Record<string, Readonly<Record<string, GradCase>>>> = {
  Abs: { abs: unary(op.abs) },
  Cos: { cos: unary(op.cos) },
  Erf: { erf: unary(op.erf) },
  Exp: { exp: unary(op.exp) },
  Log: { log: unary(op.log, true) },
  Neg: { neg: unary(op.neg) },
  Reciprocal: { reciprocal: unary(op.reciprocal, true) },
  Relu: { relu: unary(op.relu) },
  Sigmoid: { sigmoid: unary(op.sigmoid) },
  Sin: { sin: unary(op.sin) },
  Softplus: { softplus: unary(op.softplus) },
  Sqrt: { sqrt: unary(op.sqrt, true) },
  Tanh: { tanh: unary(op.tanh) },
  Identity: { identity: unary(op.identity) },
  Cast: {
    half: { ...unary((g, x) => op.cast(g, op.cast(g, x, 'float16'), 'float32')), epsilon: 2 },
  },
  Clip: {
    bounds: unary((g, x) => op.clip(g, x, -0.5, 0.8)),
    low: unary((g, x) => op.clip(g, x, 0.1)),
    high: unary((g, x) => op.clip(g, x, undefined, 0.45)),
  },
  QuickGelu: { silu: unary(silu), clip: unary(quickGelu) },
  Gelu: {
    exact: unary((g, x) => op.gelu(g, x)),
    tanh: unary((g, x) => op.gelu(g, x, 'tanh')),
    geglu: { shapes: [[3, 8]], f: (g, x) => geglu(g, x!) },
  },
  Add: { add: binary(op.add) },
  Sub: { sub: binary(op.sub) },
  Mul: { mul: binary(op.mul), square: unary((g, x) => op.mul(g, x, x)) },
  Div: { div: binary(op.div, true) },
  Pow: {
    same: {
      shapes: [
        [3, 5],
        [3, 5],
      ],
      f: (g, a, b) => op.pow(g, a!, b!),
      positive: true,
    },
    scalar: { shapes: [[3, 5], [1]], f: (g, a, b) => op.pow(g, a!, b!), positive: true },
  },
  Max: { max: binary(op.max) },
  Min: { min: binary(op.min) },
  Where: {
    where: binary((g, a, b) => op.where(g, g.constant([1, 0, 0, 1], [4], 'bool'), a, b)),
  },

  ReduceSum: {
    kept: image((g, x) => op.reduceSum(g, x, [0, 2])),
    dropped: image((g, x) => op.reduceSum(g, x, [1, 3], false)),
  },
  ReduceMean: {
    kept: image((g, x) => op.reduceMean(g, x, [1, 2, 3])),
    dropped: image((g, x) => op.reduceMean(g, x, [-1], false)),
  },
  ReduceL2: { l2: image((g, x) => op.reduceL2(g, x, [1], false)) },
  ReduceSumSquare: { sumSquare: image((g, x) => op.reduceSumSquare(g, x, [2, 3])) },
  ReduceProd: { prod: { shapes: [[4, 3]], f: (g, x) => op.reduceProd(g, x!, [1]), positive: true } },
  ReduceMax: { max: image((g, x) => op.reduceMax(g, x, [1], false)) },
  ReduceMin: { min: image((g, x) => op.reduceMin(g, x, [2, 3])) },
  Softmax: {
    attention: {
      shapes: [
        [2 * 6, 8],
        [2 * 5, 8],
        [2 * 5, 8],
      ],
      f: (g, q, k, v) => attention(g, q!, k!, v!, { batch: 2, heads: 2 }),
    },
    last: image((g, x) => op.softmax(g, x)),
    channels: image((g, x) => op.softmax(g, x, 1)),
  },
  LayerNormalization: {
    affine: {
      shapes: [[2, 3, 6], [6], [6]],
      f: (g, x, s, b) => op.layerNormalization(g, x!, s!, b, 1e-5)[0],
    },
    groups: {
      shapes: [
        [2, 4, 6],
        [4, 6],
      ],
      f: (g, x, s) => op.layerNormalization(g, x!, s!, undefined, 1e-2, 1)[0],
    },
    groupNorm: {
      shapes: [[2, 4, 3, 3], [4], [4]],
      f: (g, x, s, b) => groupNorm(g, x!, s!, b!, 2, 1e-5),
    },
  },
  InstanceNormalization: {
    plane: {
      shapes: [[2, 3, 4, 5], [3], [3]],
      f: (g, x, s, b) => op.instanceNormalization(g, x!, s!, b!, 1e-5),
    },
  },

  MatMul: {
    oneMatrix: {
      shapes: [
        [2, 3, 4],
        [4, 5],
      ],
      f: (g, a, b) => op.matMul(g, a!, b!),
    },
    batched: {
      shapes: [
        [1, 2, 3, 4],
        [2, 2, 4, 5],
      ],
      f: (g, a, b) => op.matMul(g, a!, b!),
    },
    square: {
      shapes: [
        [2, 5, 5],
        [2, 5, 2],
      ],
      f: (g, a, b) => op.matMul(g, a!, b!),
    },
    oneRowPerImage: {
      shapes: [
        [3, 4],
        [2, 4, 5],
      ],
      f: (g, a, b) => op.matMul(g, a!, b!),
    },
  },
  Gemm: {
    plain: gemm(false, false),
    transB: gemm(false, true),
    transA: gemm(true, false),
    both: gemm(true, true),
  },
  Conv: {
    k3: convolution([2, 3, 6, 6], [4, 3, 3, 3], ONE_ONE),
    k1: convolution([2, 3, 4, 4], [4, 3, 1, 1], {}),
    oneImage: convolution([1, 3, 5, 6], [4, 3, 3, 3], ONE_ONE),
    stride2: convolution([2, 3, 6, 6], [4, 3, 3, 3], BY_TWO),
    stride2Odd: convolution([1, 3, 5, 7], [4, 3, 3, 3], BY_TWO),
    stride2PadEnd: convolution([1, 2, 8, 8], [3, 2, 3, 3], { strides: [2, 2], pads: [0, 0, 1, 1] }),
    patches: convolution([1, 3, 8, 8], [5, 3, 4, 4], { strides: [4, 4] }),
    dilated: convolution([1, 2, 7, 7], [3, 2, 3, 3], { dilations: [2, 2], pads: [2, 2, 2, 2] }),
    depthwise: convolution([2, 3, 6, 6], [3, 1, 3, 3], { group: 3 }),
    fewChannels: convolution([2, 1, 5, 5], [1, 1, 3, 3], ONE_ONE),
  },
  ConvTranspose: {
    plain: {
      shapes: [[2, 3, 4, 4], [3, 2, 3, 3], [2]],
      f: (g, x, w, b) => op.convTranspose(g, x!, w!, b, ONE_ONE),
    },
    stride2: {
      shapes: [
        [1, 3, 4, 4],
        [3, 2, 3, 3],
      ],
      f: (g, x, w) => op.convTranspose(g, x!, w!, undefined, { ...BY_TWO, outputPadding: [1, 1] }),
    },
  },

  Reshape: { reshape: unary((g, x) => move.reshape(g, x, [5, 3])) },
  Transpose: { transpose: image((g, x) => move.transpose(g, x, [2, 0, 3, 1])) },
  Expand: { expand: { shapes: [[2, 1]], f: (g, x) => move.expand(g, x!, [3, 2, 4]) } },
  Tile: { tile: { shapes: [[2, 3]], f: (g, x) => move.tile(g, x!, [2, 3]) } },
  Slice: {
    middle: image((g, x) => move.slice(g, x, [1, 1], [3, 2], [2, 1])),
    stepped: image((g, x) => move.slice(g, x, [1, 0], [7, 8], [2, 3], [2, 3]), 8),
    reversed: image((g, x) => move.slice(g, x, [-1, -1], [-5, -5], [2, 3], [-1, -1])),
    fromEnd: image((g, x) => move.slice(g, x, [-3], [-1], [3])),
  },
  Concat: {
    concat: {
      shapes: [
        [2, 3],
        [2, 4],
        [2, 1],
      ],
      f: (g, ...x) => move.concat(g, x, 1),
    },
  },
  Split: {
    all: image((g, x) => {
      const [a, b] = move.split(g, x, [1, 2], 1);
      return op.mul(g, a!, b!);
    }),
    second: image((g, x) => move.split(g, x, [1, 2], 1)[1]!),
  },
  Gather: {
    rows: { shapes: [[5, 3]], f: (g, x) => move.gather(g, x!, indices(g, [4, 0, 4, 1, 1, 1], [2, 3])) },
    columns: { shapes: [[2, 5, 3]], f: (g, x) => move.gather(g, x!, indices(g, [4, 0, 4], [3]), 1) },
  },
  GatherElements: {
    elements: {
      shapes: [[3, 4]],
      f: (g, x) => move.gatherElements(g, x!, indices(g, [2, 0, 1, 3, 2, 2], [3, 2]), 1),
    },
  },
  ScatterElements: {
    add: {
      shapes: [
        [3, 4],
        [3, 2],
      ],
      f: (g, x, u) => move.scatterElements(g, x!, indices(g, [2, 0, 1, 3, 2, 2], [3, 2]), u!, 1, 'add'),
    },
    write: {
      shapes: [
        [3, 4],
        [3, 2],
      ],
      f: (g, x, u) => move.scatterElements(g, x!, indices(g, [2, 0, 1, 3, 2, 0], [3, 2]), u!, 1),
    },
  },
  ScatterND: {
    add: {
      shapes: [
        [5, 3],
        [3, 3],
      ],
      f: (g, x, u) => move.scatterND(g, x!, indices(g, [4, 0, 4], [3, 1]), u!, 'add'),
    },
    write: {
      shapes: [
        [5, 3],
        [2, 3],
      ],
      f: (g, x, u) => move.scatterND(g, x!, indices(g, [4, 0], [2, 1]), u!),
    },
  },
  Pad: {
    pad: image((g, x) => move.pad(g, x, [0, 0, 1, 2, 0, 0, 2, 1])),
    crop: image((g, x) => move.pad(g, x, [0, 0, -1, 0, 0, 0, 0, -2])),
  },
  Resize: {
    twice: image((g, x) => move.resize(g, x, [8, 8])),
    toSkip: image((g, x) => move.resize(g, x, [7, 6])),
    linear: image((g, x) => move.resize(g, x, [7, 9], 'linear')),
    linearDown: image((g, x) => move.resize(g, x, [3, 2], 'linear')),
  },
  DepthToSpace: { blocks: { shapes: [[2, 12, 2, 3]], f: (g, x) => move.depthToSpace(g, x!, 2) } },
  AveragePool: { tiles: image((g, x) => op.averagePool(g, x, [2, 2], { strides: [2, 2] })) },
  MaxPool: { tiles: image((g, x) => op.maxPool(g, x, [2, 2], { strides: [2, 2] })) },
  GlobalAveragePool: { all: image(op.globalAveragePool) },
};
