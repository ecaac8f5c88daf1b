import { expect, test } from 'vitest';
import { Graph, type Node } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import { add, exp, mul } from '../onnx/ops';
import { executionOrder, leavesLast } from '../onnx/order';
import { checkFits, estimateRun } from './memory';
import { planBuffers } from './memory-plan';
import { tinyNet } from './tiny-net';

const place = { backend: 'node' } as const;

test('a chain takes its feed, its result and one value between, however long; a skip connection adds one', () => {
  const g = new Graph();
  const x = g.feed('x', [256]);
  let h = exp(g, x);
  const skip = h;
  for (let i = 0; i < 8; i++) h = exp(g, h);
  expect(estimateRun(g, [h], place).activations).toBe(3 * 1024);
  expect(estimateRun(g, [add(g, h, skip)], place).activations).toBe(4 * 1024);
  expect(estimateRun(g, [mul(g, h, h), skip], place).activations).toBe(4 * 1024);
});

test('weights and the largest tensor are counted', () => {
  const { graph, outputs } = tinyNet();
  const estimate = estimateRun(graph, Object.values(outputs), place);
  expect(estimate.weights).toBe(4 * (54 + 3 + 48));
  expect(estimate.largest).toEqual({ name: 'conv.weight', bytes: 216 });
  expect(() => checkFits(estimate, { total: 10_000, tensor: 216 })).not.toThrow();
  expect(() => checkFits(estimate, { tensor: 215 })).toThrow(/conv\.weight/);
  expect(() => checkFits(estimate, { total: 500 })).toThrow(expect.objectContaining({ code: 'TOO_BIG' }));
});

test('a buffer stays taken for the next value of its shape, and goes to no other', () => {
  const g = new Graph();
  const x = g.feed('x', [256]);
  const first = add(g, x, x);
  const wide = reshape(g, add(g, first, x), [16, 16]);
  const flat = reshape(g, add(g, wide, wide), [256]);
  const y = add(g, flat, flat);
  const names = planBuffers(g.nodes, [y]).map(({ name, from, to }) => [name, from, to]);
  const [one, two, square, result] = [first, g.nodes[1]!.outputs[0]!, g.nodes[3]!.outputs[0]!, y].map(
    (v) => v.name,
  );
  expect(names).toEqual([
    [one, 0, 1],
    [two, 1, 3],
    [square, 3, 5],
    [result, 5, Number.POSITIVE_INFINITY],
  ]);
});

test('gradients run as they were appended, not the last one first', () => {
  const g = new Graph();
  const x = g.feed('x', [4]);
  const values = [exp(g, x)];
  for (let i = 0; i < 3; i++) values.push(exp(g, values.at(-1)!));
  for (const value of values.slice(0, 3)) add(g, value, x);
  const order = (nodes: readonly Node[]) => executionOrder(nodes).map((node) => g.nodes.indexOf(node));
  expect(order(g.nodes)).toEqual([0, 1, 2, 6, 5, 4, 3]);
  expect(order(leavesLast(g.nodes))).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
