import { describe, expect, test } from 'vitest';
import { sizeOf } from '../util/nd-array';
import { type DType, Graph, type Shape, type Value } from './graph';
import * as move from './movement';
import * as op from './ops';
import { runOnNode } from './run-node';

type Build = (g: Graph, x: Value, y: Value) => Value | readonly Value[];

const { abs, ceil, cos, erf, exp, floor, neg, reciprocal, relu, sigmoid, sin, softplus } = op;
const { log, sqrt, tanh, identity, gelu, softmax } = op;
const { add, sub, mul, div, pow, max, min } = op;
const { equal, greater, greaterOrEqual, less, lessOrEqual } = op;
const { reduceL2, reduceMax, reduceMean, reduceMin, reduceProd, reduceSum, reduceSumSquare } = op;

/** One case per op of a group, named by its function. */
const each = <F extends (...args: never[]) => Value>(
  ops: Readonly<Record<string, F>>,
  makeCase: (f: F) => readonly [Shape, Shape, Build],
) => Object.fromEntries(Object.entries(ops).map(([name, f]) => [name, makeCase(f)]));

/** name → shape of x, shape of y, and the op; run for real, so that the runtime checks our shape inference. */
const cases: Readonly<Record<string, readonly [Shape, Shape, Build]>> = {
  ...each({ abs, ceil, cos, erf, exp, floor, neg, reciprocal, relu, sigmoid, sin, softplus }, (f) => [
    [2, 3],
    [1],
    f,
  ]),
  ...each({ log, sqrt, tanh, identity, gelu, softmax }, (f) => [[2, 3], [1], (g, x) => f(g, op.abs(g, x))]),
  ...each({ add, sub, mul, div, pow, max, min }, (f) => [[2, 1, 3], [4, 1], f]),
  ...each({ equal, greater, greaterOrEqual, less, lessOrEqual }, (f) => [[2, 3], [3], f]),
  ...each({ reduceL2, reduceMax, reduceMean, reduceMin, reduceProd, reduceSum, reduceSumSquare }, (f) => [
    [2, 3, 4],
    [1],
    (g, x) => [f(g, x, [0, -1]), f(g, x, [1], false)],
  ]),
  'and, not, where': [
    [2, 3],
    [3],
    (g, x, y) => {
      const a = op.greater(g, x, y);
      const b = op.not(g, op.less(g, x, y));
      return op.where(g, op.and(g, a, b), x, y);
    },
  ],
  'clip with one bound': [
    [5],
    [1],
    (g, x) => [op.clip(g, x, 0), op.clip(g, x, undefined, 0.1), op.clip(g, x, 0, 1)],
  ],
  casts: [
    [4],
    [1],
    (g, x) => [op.cast(g, x, 'int64'), op.cast(g, op.greater(g, x, op.scalar(g, 0)), 'float32')],
  ],
  'float16 scalar': [
    [4],
    [1],
    (g, x) => op.cast(g, op.mul(g, op.cast(g, x, 'float16'), op.scalar(g, 2, 'float16')), 'float32'),
  ],
  argMax: [[2, 3, 4], [1], (g, x) => [op.argMax(g, x, 1), op.argMax(g, x, -1, false)]],
  'matMul broadcasts batches': [[5, 1, 2, 3], [4, 3, 6], (g, x, y) => op.matMul(g, x, y)],
  gemm: [
    [3, 2],
    [4, 3],
    (g, x, y) => op.gemm(g, x, y, g.constant([1, 2, 3, 4], [4]), { transA: true, transB: true, alpha: 0.5 }),
  ],
  conv: [
    [2, 4, 9, 7],
    [6, 2, 3, 3],
    (g, x, y) =>
      op.conv(g, x, y, undefined, { group: 2, strides: [2, 1], pads: [1, 0, 2, 1], dilations: [1, 2] }),
  ],
  convTranspose: [
    [2, 4, 5, 3],
    [4, 3, 3, 3],
    (g, x, y) =>
      op.convTranspose(g, x, y, undefined, { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 0] }),
  ],
  pools: [
    [1, 2, 7, 8],
    [1],
    (g, x) => [
      op.maxPool(g, x, [3, 2], { strides: [2, 2], pads: [1, 0, 1, 0] }),
      op.averagePool(g, x, [2, 2], { strides: [2, 2] }),
      op.globalAveragePool(g, x),
    ],
  ],
  instanceNormalization: [[2, 3, 4], [3], (g, x, y) => op.instanceNormalization(g, x, y, y, 1e-5)],
  'layerNormalization with statistics': [
    [2, 3, 4],
    [3, 4],
    (g, x, y) => op.layerNormalization(g, x, y, y, 1e-5, 1),
  ],
  'layerNormalization without bias': [
    [2, 3, 4],
    [4],
    (g, x, y) => op.layerNormalization(g, x, y, undefined, 1e-5)[0],
  ],
  reshape: [[2, 3, 4], [1], (g, x) => move.reshape(g, x, [4, -1])],
  transpose: [[2, 3, 4], [1], (g, x) => [move.transpose(g, x, [2, 0, 1]), move.swapLast(g, x)]],
  expand: [[3, 1], [1], (g, x) => move.expand(g, x, [2, 3, 4])],
  tile: [[3, 1], [1], (g, x) => move.tile(g, x, [2, 3])],
  slice: [
    [5, 6],
    [1],
    (g, x) => [move.slice(g, x, [1, 0], [4, 5], [0, 1], [1, 2]), move.slice(g, x, [4], [-6], [0], [-1])],
  ],
  concat: [[2, 3], [2, 1], (g, x, y) => move.concat(g, [x, y, x], 1)],
  split: [[2, 6], [1], (g, x) => move.split(g, x, [1, 2, 3], -1)],
  gather: [[5, 6], [1], (g, x) => move.gather(g, x, g.constant([0, 4, 4, 1], [2, 2], 'int64'), 1)],
  gatherElements: [[2, 3], [1], (g, x) => move.gatherElements(g, x, g.constant([0, 2], [2, 1], 'int64'), 1)],
  scatterElements: [
    [2, 3],
    [2, 1],
    (g, x, y) => move.scatterElements(g, x, g.constant([0, 2], [2, 1], 'int64'), y, 1, 'add'),
  ],
  scatterND: [[4, 3], [2, 3], (g, x, y) => move.scatterND(g, x, g.constant([0, 2], [2, 1], 'int64'), y)],
  pad: [
    [2, 3],
    [1],
    (g, x) => [
      move.pad(g, x, [0, 1, 2, 0]),
      move.pad(g, x, [0, 1, 0, 1], 'reflect'),
      move.pad(g, x, [0, -1, 0, 0]),
    ],
  ],
  resize: [[1, 2, 3, 4], [1], (g, x) => [move.resize(g, x, [5, 8]), move.resize(g, x, [6, 7], 'linear')]],
  depthToSpace: [[1, 8, 3, 2], [1], (g, x) => move.depthToSpace(g, x, 2)],
};

const noise = (shape: Shape, seed: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1 + 7 * seed + 12.9898 * i));

describe('shape inference agrees with the runtime', () => {
  test.each(Object.entries(cases))('%s', async (_, [xs, ys, build]) => {
    const g = new Graph();
    const built = build(g, g.feed('x', xs), g.feed('y', ys));
    const outputs = 'name' in built ? [built] : built;
    const results = await runOnNode(g, outputs, { x: noise(xs, 0), y: noise(ys, 1) });
    expect(results.map((r) => r.length)).toEqual(outputs.map((v) => sizeOf(v.shape)));
  });
});

describe('impossible inputs are refused before the runtime sees them', () => {
  const g = new Graph();
  const x = (shape: Shape, dtype?: DType): Value => g.feed('x', shape, dtype);
  test.each([
    ['Add of shapes that do not broadcast', () => op.add(g, x([2, 3]), x([4]))],
    ['MatMul of unequal inner sizes', () => op.matMul(g, x([2, 3]), x([2, 3]))],
    ['Gemm of unequal inner sizes', () => op.gemm(g, x([2, 3]), x([4, 3]))],
    ['Conv of other channels', () => op.conv(g, x([1, 3, 4, 4]), x([2, 4, 3, 3]))],
    ['Reshape to another size', () => move.reshape(g, x([2, 3]), [4])],
    ['Transpose with a repeated axis', () => move.transpose(g, x([2, 3]), [0, 0])],
    ['Concat of unequal sides', () => move.concat(g, [x([2, 3]), x([3, 3])], 1)],
    ['Split that does not add up', () => move.split(g, x([2, 3]), [1, 1], 1)],
    ['an axis out of range', () => op.softmax(g, x([2, 3]), 2)],
    ['an empty slice', () => move.slice(g, x([4]), [2], [2], [0])],
  ])('%s', (_, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'SHAPE' }));
  });
  test('mixed dtypes', () => {
    expect(() => op.add(g, x([2]), x([2], 'float16'))).toThrow(expect.objectContaining({ code: 'GRAPH' }));
  });
});

test('ops that would change nothing append no node', () => {
  const g = new Graph();
  const x = g.feed('x', [2, 3, 4]);
  const same = [
    move.reshape(g, x, [2, 3, 4]),
    move.transpose(g, x, [0, 1, 2]),
    move.expand(g, x, [2, 3, 4]),
    move.slice(g, x, [0], [3], [1]),
    move.concat(g, [x], 0),
    move.pad(g, x, [0, 0, 0, 0, 0, 0]),
    op.cast(g, x, 'float32'),
  ];
  expect(same.every((v) => v === x)).toBe(true);
  expect(g.nodes).toEqual([]);
});

test('equal small constants are shared, and -0 is not 0', () => {
  const g = new Graph();
  expect(g.constant([1, 2], [2])).toBe(g.constant([1, 2], [2]));
  expect(g.constant([0], [])).not.toBe(g.constant([-0], []));
  expect(g.constant([1], [1], 'int64')).not.toBe(g.constant([1], [1]));
});

test('nearest resize to any size picks the pixels that PyTorch picks', async () => {
  const g = new Graph();
  const x = g.feed('x', [1, 1, 1, 5]);
  const outputs = [7, 9, 10, 3].map((w) => move.resize(g, x, [1, w]));
  const results = await runOnNode(g, outputs, { x: [0, 1, 2, 3, 4] });
  // torch.nn.functional.interpolate(torch.arange(5.)[None, None], size=w)
  expect(results.map((r) => [...r])).toEqual([
    [0, 0, 1, 2, 2, 3, 4],
    [0, 0, 1, 1, 2, 2, 3, 3, 4],
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
    [0, 1, 3],
  ]);
});
