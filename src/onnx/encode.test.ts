import { describe, expect, test } from 'vitest';
import { decode } from './decode';
import { encode, requiredInputs } from './encode';
import { fold } from './fold';
import { Graph, type Value } from './graph';
import * as move from './movement';
import * as op from './ops';
import { print } from './print';
import { runOnNode } from './run-node';

/** Every kind of attribute, optional inputs and outputs, all dtypes, constants, feeds and weights. */
function example(): { g: Graph; outputs: readonly Value[] } {
  const g = new Graph();
  const x = g.feed('x', [1, 2, 4, 4]);
  const y = op.conv(g, x, g.weight('conv.weight', [4, 2, 3, 3]), g.weight('conv.bias', [4]), {
    pads: [1, 1, 1, 1],
  });
  const scale = move.expand(g, op.scalar(g, 1), [4]);
  const [normed] = op.layerNormalization(g, move.transpose(g, y, [0, 2, 3, 1]), scale, undefined, 1e-5);
  const clipped = op.clip(g, normed, undefined, 0.5);
  const mask = op.greater(g, clipped, op.scalar(g, -0.25));
  const chosen = op.where(g, mask, clipped, g.constant(new Float32Array(64).fill(-1), [1, 4, 4, 4]));
  const half = op.cast(g, op.cast(g, chosen, 'float16'), 'float32');
  const large = move.resize(g, move.transpose(g, half, [0, 3, 1, 2]), [8, 8]);
  const picked = move.gather(g, large, g.constant([1, 0], [2], 'int64'), 1);
  return { g, outputs: [op.softmax(g, picked), op.argMax(g, picked, 1)] };
}

const data = {
  x: Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)),
  'conv.weight': Float32Array.from({ length: 72 }, (_, i) => Math.cos(3 * i)),
  'conv.bias': [0.1, 0.2, 0.3, 0.4],
};

describe('ONNX bytes', () => {
  test('decode to the same graph: same text, same bytes, same results', async () => {
    const { g, outputs } = example();
    const bytes = encode(g, outputs, { valueInfo: true });
    const read = decode(bytes);
    expect(print(read.graph, read.outputs)).toBe(print(g, outputs));
    expect([...read.graph.weights.keys()]).toEqual(['conv.weight', 'conv.bias']);
    expect(encode(read.graph, read.outputs, { valueInfo: true })).toEqual(bytes);
    expect(await runOnNode(read.graph, read.outputs, data)).toEqual(await runOnNode(g, outputs, data));
  });

  test('with weights baked in give the same results and declare only the feeds', async () => {
    const { g, outputs } = example();
    const initializers = (name: string) => Float32Array.from(data[name as keyof typeof data]);
    const baked = decode(encode(g, outputs, { initializers, valueInfo: true })).graph;
    expect([baked.feeds.map((v) => v.name), baked.weights.size]).toEqual([['x'], 0]);
    expect(await runOnNode(g, outputs, { x: data.x }, { initializers })).toEqual(
      await runOnNode(g, outputs, data),
    );
  });

  test('declare no input that no node reads', () => {
    const g = new Graph();
    const [x] = [g.feed('x', [2]), g.feed('unused', [2])];
    op.mul(g, x, g.weight('dead', [2]));
    const y = op.exp(g, x);
    const { graph } = decode(encode(g, [y], { valueInfo: true }));
    expect(graph.feeds.map((v) => v.name)).toEqual(['x']);
    expect(graph.nodes.map((n) => n.op)).toEqual(['Exp']);
    expect(requiredInputs(g, [y]).weights).toEqual([]);
  });

  test('keep whole-number floats apart from integers', async () => {
    const g = new Graph();
    const x = g.feed('x', [2, 2]);
    const y = op.gemm(g, x, x, undefined, { alpha: 2 });
    expect([...(await runOnNode(g, [y], { x: [1, 0, 0, 1] }))[0]!]).toEqual([2, 0, 0, 2]);
    g.append('Elu', [x], [x], { alpha: 0.5 });
    expect(() => encode(g, [g.nodes.at(-1)!.outputs[0]!])).toThrow(/float/);
  });

  test.each([
    ['text', new TextEncoder().encode('<!doctype html><title>not a model</title>'), 'BAD_FILE'],
    ['nothing', new Uint8Array(), 'BAD_FILE'],
    ['half a model', encode(example().g, example().outputs).subarray(0, 100), 'BAD_FILE'],
    ['a model without shapes', encode(example().g, example().outputs), 'UNSUPPORTED_MODEL'],
  ])('%s is refused with a code', (_, bytes, code) => {
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ code }));
  });
});

describe('folding', () => {
  test('works out shapes and scalars, and drops what changes nothing', async () => {
    const g = new Graph();
    const x = g.feed('x', [2, 3]);
    const [shape] = g.append('Shape', [x], [{ shape: [2], dtype: 'int64' }]);
    const total = op.mul(
      g,
      move.gather(g, shape!, g.constant([0, 1], [2], 'int64')),
      g.constant([1, 2], [2], 'int64'),
    );
    const [reshaped] = g.append(
      'Expand',
      [move.reshape(g, x, [2, 3, 1]), g.constant([2, 3, 2], [3], 'int64')],
      [{ shape: [2, 3, 2] }],
    );
    const [flat] = g.append('Reshape', [reshaped!, total], [{ shape: [2, 6] }]);
    const scale = op.div(g, op.scalar(g, 1), op.sqrt(g, op.scalar(g, 16)));
    const same = op.add(g, op.mul(g, flat!, op.scalar(g, 1)), op.scalar(g, 0));
    const y = op.mul(g, same, scale);
    expect(fold(g, [y]).nodes.map((n) => n.op)).toEqual(['Reshape', 'Expand', 'Reshape', 'Mul']);
    expect([...(await runOnNode(g, [y], { x: [4, 8, 12, 16, 20, 24] }))[0]!]).toEqual([
      1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6,
    ]);
  });

  test('merges reshapes and keeps every output', async () => {
    const g = new Graph();
    const x = g.feed('x', [2, 3]);
    const a = move.reshape(g, x, [6]);
    const b = move.reshape(g, a, [3, 2]);
    const c = op.mul(g, b, op.scalar(g, 1));
    expect(fold(g, [b]).nodes.length).toBe(1);
    expect(fold(g, [a, c]).nodes.map((n) => n.outputs[0]!.name)).toEqual([a.name, b.name, c.name]);
    expect(await runOnNode(g, [a, b, c], { x: [1, 2, 3, 4, 5, 6] })).toHaveLength(3);
  });

  test('leaves arithmetic that broadcasts alone', () => {
    const g = new Graph();
    const x = g.feed('x', [1, 3]);
    const y = op.neg(g, op.mul(g, x, g.constant([1, 1], [2, 1])));
    expect(fold(g, [y]).nodes).toHaveLength(2);
  });
});

test('a printed graph reads like code', () => {
  const { g, outputs } = example();
  expect(print(g, outputs)).toMatchInlineSnapshot(`
    "x: float32[1,2,4,4]
    conv.weight: float32[4,2,3,3]
    conv.bias: float32[4]
    %0: float32[1,4,4,4] = Conv(x, conv.weight, conv.bias) {kernel_shape=[3,3] strides=[1,1] pads=[1,1,1,1] dilations=[1,1] group=1}
    %1: float32[1,4,4,4] = Transpose(%0) {perm=[0,2,3,1]}
    %2: float32[1,4,4,4] = LayerNormalization(%1, [1,1,1,1]) {axis=3 epsilon=0.00001}
    %3: float32[1,4,4,4] = Clip(%2, _, 0.5)
    %4: bool[1,4,4,4] = Greater(%3, -0.25)
    %5: float32[1,4,4,4] = Where(%4, %3, const float32[1,4,4,4])
    %6: float16[1,4,4,4] = Cast(%5) {to=10}
    %7: float32[1,4,4,4] = Cast(%6) {to=1}
    %8: float32[1,4,4,4] = Transpose(%7) {perm=[0,3,1,2]}
    %9: float32[1,4,8,8] = Resize(%8, _, _, [1,4,8,8]) {mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor}
    %10: float32[1,2,8,8] = Gather(%9, [1,0]) {axis=1}
    %11: float32[1,2,8,8] = Softmax(%10) {axis=3}
    %12: int64[1,1,8,8] = ArgMax(%10) {axis=1 keepdims=1}
    return %11, %12"
  `);
});
