import { describe, expect, test } from 'vitest';
import { Graph, type Shape, type Value } from '../onnx/graph';
import { type ConvOptions, conv, relu } from '../onnx/ops';
import { runOnNode } from '../onnx/run-node';
import { wave } from './tiny-net';
import { lowerConvolutions } from './winograd';

const always = (): boolean => true;
const SAME: ConvOptions = { pads: [1, 1, 1, 1] };

function network(x: Shape, w: Shape, options: ConvOptions, bias: boolean): { g: Graph; y: Value } {
  const g = new Graph();
  const kernel = g.weight('w', w);
  const b = bias ? g.weight('b', [w[0]!]) : undefined;
  return { g, y: relu(g, conv(g, g.feed('x', x), kernel, b, options)) };
}

describe('a rewritten convolution gives the same numbers', () => {
  test.each([
    ['square, with bias', [2, 96, 6, 6], [96, 96, 3, 3], true],
    ['oblong, more channels out than in, no bias', [1, 64, 4, 10], [160, 64, 3, 3], false],
    ['smallest', [3, 128, 2, 2], [96, 128, 3, 3], true],
  ] as const)('%s', async (_, x, w, bias) => {
    const { g, y } = network(x, w, SAME, bias);
    const { graph, derived } = lowerConvolutions(g, always);
    expect(graph.nodes.filter(({ op }) => op === 'MatMul')).toHaveLength(1);
    const [[name, { from, convert }]] = [...derived] as [
      [string, NonNullable<ReturnType<typeof derived.get>>],
    ];
    expect(from).toBe('w');

    const scale = 1 / Math.sqrt(9 * w[1]);
    const data = { x: wave(x).data, w: wave(w, 1, scale).data, b: wave([w[0]], 2).data };
    const bytes = convert(new Uint8Array(data.w.buffer as ArrayBuffer));
    const kernels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const [direct] = await runOnNode(g, [y], data);
    const [rewritten] = await runOnNode(graph, [y], { ...data, [name]: kernels });
    const error = direct!.reduce((worst, v, i) => Math.max(worst, Math.abs(v - rewritten![i]!)), 0);
    const largest = Math.max(...direct!);
    expect(largest).toBeGreaterThan(0.01);
    expect(error / largest).toBeLessThan(2e-5);
  });
});

describe('left alone', () => {
  const x: Shape = [1, 128, 6, 6];
  const w: Shape = [128, 128, 3, 3];
  test.each([
    ['a stride', network(x, w, { ...SAME, strides: [2, 2] }, true), always],
    ['other padding', network(x, w, { pads: [0, 0, 1, 1] }, true), always],
    ['a 1×1 kernel', network(x, [128, 128, 1, 1], {}, true), always],
    ['odd sides', network([1, 128, 7, 6], w, SAME, true), always],
    ['few channels', network([1, 32, 6, 6], [32, 32, 3, 3], SAME, true), always],
    ['a kernel that may change', network(x, w, SAME, true), (name: string) => name !== 'w'],
  ])('%s', (_, { g }, frozen) => {
    const { graph, derived } = lowerConvolutions(g, frozen);
    expect(graph.nodes).toEqual(g.nodes);
    expect(derived.size).toBe(0);
  });
});
